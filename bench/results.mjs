// The last results that were kept: results.json for programs, RESULTS.md for people.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { markdown } from './table.mjs'

const JSON_FILE = new URL('./results.json', import.meta.url)
const TEXT_FILE = new URL('./RESULTS.md', import.meta.url)

/** What was kept; undefined when nothing was yet. */
export function savedResults() {
  return existsSync(JSON_FILE) ? JSON.parse(readFileSync(JSON_FILE, 'utf8')) : undefined
}

/** Keeps results; of parts that were not measured this time the last ones stay. */
export function save({ machine, results }) {
  const kept = (savedResults()?.results ?? []).filter(old => !results.some(({ part }) => part === old.part))
  const { lines, ...facts } = machine
  const all = [...kept, ...results.map(result => ({ ...result, machine: facts, lines }))].map(rounded)
  writeFileSync(JSON_FILE, `${stringify({ results: all })}\n`)
  writeFileSync(TEXT_FILE, text(all))
}

/** Four digits are more than any of it is good for. */
function rounded(value) {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(4))
  if (Array.isArray(value)) return value.map(rounded)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]))
}

/** The formatter's width. */
const LINE = 110

/** JSON with one line for each list or object of plain values that fits one, as the formatter has it. */
function stringify(value, indent = '', before = 0) {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const isList = Array.isArray(value)
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  const key = name => (isList ? '' : `${JSON.stringify(name)}: `)
  const [open, close] = isList ? '[]' : '{}'
  if (entries.every(([, inner]) => typeof inner !== 'object' || inner === null)) {
    const space = isList || entries.length === 0 ? '' : ' '
    const members = entries.map(([name, inner]) => key(name) + JSON.stringify(inner)).join(', ')
    const line = open + space + members + space + close
    // A comma may follow.
    if (indent.length + before + line.length + 1 <= LINE) return line
  }
  const inside = `${indent}  `
  const lines = entries.map(
    ([name, inner]) => inside + key(name) + stringify(inner, inside, key(name).length),
  )
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`
}

function text(results) {
  const sections = results.map(result => {
    const [heading, ...body] = markdown(result).split('\n')
    return [heading, '', `${result.date.slice(0, 10)}: ${result.lines.join('; ')}.`, ...body].join('\n')
  })
  return `# Results\n\nMade by \`npm run bench -- --save\`; how to read them is in [README.md](README.md).\n\n${sections.join('\n')}`
}
