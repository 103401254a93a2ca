// Draws bench/results.json as an SVG for the README: `node bench/plot.mjs [file]`, by default bench/results.svg. Each
// panel is a workload, each bar a server; shorter is better. Colours follow the reader's light or dark scheme.
import { writeFileSync } from 'node:fs'
import { circumstances, format, HIGHLIGHTS, SERVERS, valuesOf } from './highlights.mjs'
import { savedResults } from './results.mjs'

const WIDTH = 860
const COLUMNS = 2
const GAP = 40
const PANEL = (WIDTH - GAP * (COLUMNS - 1)) / COLUMNS
const HEAD = 48
const BAR = 14
const STEP = 22
const NAME = 88
const VALUE = 56

const STYLE = `
  text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 14px; font-weight: 600 }
  .unit, .foot { fill: #59636e }
  .name { text-anchor: end }
  .bar { fill: #8c959f }
  .shardws { fill: #0969da }
  .raw { fill: none; stroke: #8c959f; stroke-dasharray: 3 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .unit, .foot { fill: #9198a1 }
    .bar { fill: #656c76 }
    .shardws { fill: #4493f8 }
    .raw { fill: none; stroke: #656c76 }
  }`

const escaped = text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

function panel({ title, unit, values }, x, y) {
  const most = Math.max(...values.map(({ value }) => value))
  const scale = (PANEL - NAME - VALUE) / most
  const bars = values.flatMap(({ name, value }, index) => {
    const top = y + HEAD + index * STEP
    const left = x + NAME
    const width = Math.max(1, value * scale)
    return [
      `<text class="name" x="${left - 8}" y="${top + BAR - 3}">${escaped(SERVERS[name])}</text>`,
      `<rect class="bar ${name}" x="${left}" y="${top}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`,
      `<text x="${(left + width + 6).toFixed(1)}" y="${top + BAR - 3}">${format(value)}</text>`,
    ]
  })
  return [
    `<text class="title" x="${x}" y="${y + 16}">${escaped(title)}</text>`,
    `<text class="unit" x="${x}" y="${y + 33}">${escaped(unit)}, less is better</text>`,
    ...bars,
  ]
}

/** @param {object[]} results as they are kept */
function plot(results) {
  const panels = HIGHLIGHTS.filter(({ drawn }) => drawn)
    .map(each => ({
      title: each.title,
      unit: each.unit,
      values: valuesOf(each, results),
    }))
    .filter(({ values }) => values.length > 0)
  if (panels.length === 0) throw new Error('there is nothing to draw: npm run bench -- --save')
  const height = HEAD + STEP * Object.keys(SERVERS).length + 20
  const total = Math.ceil(panels.length / COLUMNS) * height + 36
  const drawn = panels.flatMap((each, index) =>
    panel(each, (index % COLUMNS) * (PANEL + GAP), Math.floor(index / COLUMNS) * height),
  )
  const foot = circumstances(results)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${total}" role="img">`,
    `<title>What messages and connections cost: shardws, ws, Bun, Deno and bare sockets</title>`,
    `<style>${STYLE}\n</style>`,
    ...drawn,
    ...foot.map(
      (line, index) => `<text class="foot" x="0" y="${total - 24 + 18 * index}">${escaped(line)}</text>`,
    ),
    '</svg>\n',
  ].join('\n')
}

const results = savedResults()?.results ?? []
writeFileSync(process.argv[2] ?? new URL('./results.svg', import.meta.url), plot(results))
