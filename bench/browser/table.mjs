// What docs/codec.md shows of the measurements in Chromium.
import { CRITERION } from './criterion.mjs'

const COLUMNS = {
  copy: 'copy in the arena',
  unmask: 'unmask there',
  share: 'unmask/copy',
  copyOutside: 'copy elsewhere',
  unmaskOutside: 'unmask there',
  shareOutside: 'unmask/copy',
  utf8: 'validate UTF-8 (ASCII)',
  decode: 'push to a decoder',
}

function cell(metrics, key) {
  const value = metrics[key]?.median
  if (value === undefined) return ''
  if (key.startsWith('share')) return value >= CRITERION ? value.toFixed(2) : `**${value.toFixed(2)}**`
  return value < 10 ? value.toFixed(2) : value.toFixed(0)
}

/** A table in Markdown; a ratio below the criterion is bold. */
export function browserTable(results) {
  const { rows: parts, lines, date } = results.find(({ part }) => part === 'browser')
  const keys = Object.keys(COLUMNS)
  const rows = parts[0].servers.map(
    ({ label, metrics }) => `| ${label} | ${keys.map(key => cell(metrics, key)).join(' | ')} |`,
  )
  return [
    `| payload | ${Object.values(COLUMNS).join(' | ')} |`,
    `|---|${keys.map(() => '--:').join('|')}|`,
    ...rows,
    '',
    `GB/s; ${[date.slice(0, 10), ...lines.slice(0, 2)].join('; ')}.`,
    '',
  ].join('\n')
}
