/**
 * Heads are kept as strings of one character per byte (ISO 8859-1), the way HTTP has always treated bytes above
 * 0x7f. `TextDecoder` can't make them: its "latin1" is windows-1252.
 */

/** At most this many arguments are spread into one call; engines bound them. */
const CHUNK = 4096

/** @internal The way that needs nothing but the language; exported to be tested in Node too. */
export function decodeLatin1Portably(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(end, at + CHUNK)))
  }
  return text
}

function decodeLatin1InNode(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}

/** The bytes from `start` to `end` as one character each. */
export const decodeLatin1 = typeof Buffer === 'function' ? decodeLatin1InNode : decodeLatin1Portably
