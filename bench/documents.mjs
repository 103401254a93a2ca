// Writes what documents show of bench/results.json into them: `node bench/documents.mjs`. With --check it only says
// whether they have it.
import { readFileSync, writeFileSync } from 'node:fs'
import { browserTable } from './browser/table.mjs'
import { circumstances, format, HIGHLIGHTS, SERVERS, valuesOf } from './highlights.mjs'
import { savedResults } from './results.mjs'
import { targetTable } from './targets.mjs'

const BEGIN = '<!-- written by bench/documents.mjs -->\n'
const END = '<!-- end of what bench/documents.mjs writes -->\n'

function table(results) {
  const names = Object.keys(SERVERS)
  const rows = HIGHLIGHTS.map(highlight => {
    const values = new Map(valuesOf(highlight, results).map(({ name, value }) => [name, format(value)]))
    const cells = names.map(name => values.get(name) ?? '')
    return `| ${highlight.title}, ${highlight.unit} | ${cells.join(' | ')} |`
  })
  return [
    `| less is better | ${names.map(name => SERVERS[name]).join(' | ')} |`,
    `|---|${names.map(() => '--:').join('|')}|`,
    ...rows,
    '',
    `${circumstances(results).join('; ')}. Servers on Node ran on the newest of these.`,
    '',
  ].join('\n')
}

function update(file, text) {
  const path = new URL(file, import.meta.url)
  const document = readFileSync(path, 'utf8')
  const begin = document.indexOf(BEGIN) + BEGIN.length
  const end = document.indexOf(END)
  if (end < begin) throw new Error(`${file} lacks the line ${BEGIN}or ${END}`)
  const updated = `${document.slice(0, begin)}${text}${document.slice(end)}`
  if (!process.argv.includes('--check')) writeFileSync(path, updated)
  else if (updated !== document)
    throw new Error(`${file} does not show bench/results.json: node bench/documents.mjs`)
}

const { results } = savedResults()
update('../README.md', table(results))
update('PROFILE.md', targetTable(results))
update('../docs/codec.md', browserTable(results))
