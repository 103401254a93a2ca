// Results as tables, for a terminal and for Markdown.

const number = (value, digits) =>
  Number.isFinite(value)
    ? value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : '-'

/** `9.52 (9.40-9.81)` */
function cell(spread, digits) {
  if (spread === undefined) return '-'
  const { median, min, max } = spread
  const middle = number(median, digits)
  return min === max ? middle : `${middle} (${number(min, digits)}-${number(max, digits)})`
}

/** The throughput of a server that waited for the load says nothing about it. */
const isThroughput = key => key === 'perSecond'

function cells(columns, { label, fault, loadBound, metrics }) {
  if (fault !== undefined) return [label, `failed: ${fault}`]
  return [
    label,
    ...columns.map(({ key, digits }) => {
      const text = cell(metrics[key], digits)
      return loadBound && isThroughput(key) ? `${text} *` : text
    }),
  ]
}

/** A row of the result: heading, then one line for each server. */
function table(result, { title, servers, columns = result.columns }) {
  return [[title, ...columns.map(column => column.title)], ...servers.map(server => cells(columns, server))]
}

const LOAD_BOUND =
  '* the server had more than 15 % of its processor left: the load generator (or whatever else ran) was the bottleneck'

function isLoadBound({ rows }) {
  return rows.some(({ servers }) => servers.some(({ loadBound }) => loadBound))
}

/** @param {import('./comparison.mjs').Result} result */
export function terminalText(result) {
  const lines = [`\n${result.title}`]
  for (const row of result.rows) {
    const grid = table(result, row)
    const widths = grid[0].map((_, column) =>
      Math.max(...grid.filter(line => line.length === grid[0].length).map(line => line[column].length)),
    )
    lines.push(
      '',
      ...grid.map(line =>
        line.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i] ?? 0))).join('  '),
      ),
    )
  }
  lines.push('', ...notes(result))
  return `${lines.join('\n')}\n`
}

/** @param {import('./comparison.mjs').Result} result */
export function markdown(result) {
  const lines = [`## ${result.title}`, '']
  for (const row of result.rows) {
    const [head, ...body] = table(result, row)
    lines.push(`| ${head.join(' | ')} |`, `|---${'|--:'.repeat(head.length - 1)}|`)
    for (const line of body) {
      const filled = [...line, ...Array(head.length - line.length).fill('')]
      lines.push(`| ${filled.map(text => text.replaceAll('*', '\\*').replaceAll('|', '\\|')).join(' | ')} |`)
    }
    lines.push('')
  }
  for (const note of notes(result)) lines.push(note.replace('*', '\\*'), '')
  return lines.join('\n')
}

function notes(result) {
  return [...result.notes, ...(isLoadBound(result) ? [LOAD_BOUND] : [])]
}
