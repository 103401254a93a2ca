/**
 * A table for a terminal, in boxes. The first column is text, the others are numbers.
 *
 * @param rows the first is the head
 */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)))
  const line = (left: string, middle: string, right: string): string =>
    left + widths.map(width => '─'.repeat(width + 2)).join(middle) + right
  const body = rows.map(
    row => `│${row.map((cell, column) => pad(cell, widths[column], column > 0)).join('│')}│`,
  )
  return [line('┌', '┬', '┐'), body[0], line('├', '┼', '┤'), ...body.slice(1), line('└', '┴', '┘')].join('\n')
}

function pad(cell: string, width: number, right: boolean): string {
  return ` ${right ? cell.padStart(width) : cell.padEnd(width)} `
}
