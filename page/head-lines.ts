/** A line of an HTTP head (RFC 9112 2.1). */
export interface HeadLine {
  /** As it was on the wire, without CR LF. */
  readonly text: string
  /** Of a field; undefined for the first line and the empty one. */
  readonly name: string | undefined
  readonly value: string
}

/** The lines of a head, the empty one at its end included. */
export function parseHead(head: string): HeadLine[] {
  const lines = head.split('\r\n')
  // What follows the last CR LF is no line.
  lines.pop()
  return lines.map((text, index) => {
    const colon = text.indexOf(':')
    if (index === 0 || colon === -1) return { text, name: undefined, value: text }
    return { text, name: text.slice(0, colon), value: text.slice(colon + 1).trim() }
  })
}

/** The value of a field; undefined where there is none. */
export function headerIn(head: string, name: string): string | undefined {
  return parseHead(head).find(line => line.name?.toLowerCase() === name)?.value
}
