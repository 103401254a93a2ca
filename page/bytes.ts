/** Bytes as people write them: hexadecimal in all the ways that dumps and source code have, and base64. */

export type BytesForm = 'hex' | 'base64'

/** What a text stands for, or why it stands for nothing. */
export type ParsedBytes =
  | { readonly bytes: Uint8Array<ArrayBuffer>; readonly form: BytesForm }
  | { readonly fault: string }

/** Between two bytes in hexadecimal; `0x81, 0x00`, `\x81\x00`, `81:00` and `8100` are the same. */
const SEPARATORS = /0x|\\x|[\s,:;[\]{}]/gi

/** @param form how to read it; where it is not given hexadecimal, when that is possible */
export function parseBytes(text: string, form?: BytesForm): ParsedBytes {
  const digits = text.replaceAll(SEPARATORS, '')
  const isHex = /^[0-9a-f]*$/i.test(digits)
  if (form === 'hex' || (form === undefined && isHex)) return parseHex(digits)
  const compact = text.replaceAll(/\s/g, '')
  if (form === undefined && !/^[\w+/-]+={0,2}$/.test(compact)) {
    return { fault: `${quoted(strange(digits, /[0-9a-f]/i))} is neither hexadecimal nor base64` }
  }
  return parseBase64(compact)
}

function parseHex(digits: string): ParsedBytes {
  const wrong = strange(digits, /[0-9a-f]/i)
  if (wrong !== undefined) return { fault: `${quoted(wrong)} is no hexadecimal digit` }
  if (digits.length % 2 !== 0) return { fault: 'half a byte: the number of hexadecimal digits is odd' }
  const bytes = new Uint8Array(digits.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return { bytes, form: 'hex' }
}

function parseBase64(text: string): ParsedBytes {
  const standard = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  const wrong = strange(standard, /[\w+/]/)
  if (wrong !== undefined) return { fault: `${quoted(wrong)} is no base64` }
  if (standard.length % 4 === 1) return { fault: 'a single character of base64 is left over at the end' }
  return { bytes: Uint8Array.from(atob(standard), character => character.charCodeAt(0)), form: 'base64' }
}

/** The first character that is not one of `allowed`. */
function strange(text: string, allowed: RegExp): string | undefined {
  for (const character of text) if (!allowed.test(character)) return character
  return undefined
}

function quoted(character: string | undefined): string {
  return `“${character ?? ''}”`
}

/** One byte, or any other number, as hexadecimal digits. */
export function hexOf(value: number | bigint, digits = 2): string {
  return value.toString(16).padStart(digits, '0')
}

/** Bytes in hexadecimal with spaces between them. */
export function toHex(bytes: Uint8Array, separator = ' '): string {
  return Array.from(bytes, byte => hexOf(byte)).join(separator)
}

/** Bytes in base64. */
export function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

/** The character that a byte is in ASCII; a dot for those that can't be seen. */
export function characterOf(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : byte === 0x20 ? '␣' : '·'
}

/** How many bytes, in words: `1 byte`, `2,000 bytes`. */
export function countBytes(count: number | bigint): string {
  return `${count.toLocaleString('en-US')} ${count === 1 || count === 1n ? 'byte' : 'bytes'}`
}
