/** Bytes as people write them: hexadecimal in all the ways that dumps and source code have, and base64. */

export type BytesForm = 'hex' | 'base64'

/** What a text stands for. */
export interface ParsedBytes {
  /** All of them, or those before the fault. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly form: BytesForm
  /** What is wrong with the text, in words. */
  readonly fault: string | undefined
  /** Whether there is more in the text than was to be read. */
  readonly isCut: boolean
}

/**
 * What stands in a text of hexadecimal bytes: what is between them, or digits, maybe with a prefix. `0x81, 0x00`,
 * `\x81\x00`, `81:00`, `81-00`, `<Buffer 81 00>` and `8100` are the same. The bound keeps a match from being as long as the text.
 */
const HEX_TOKEN = /([\s,:;[\]{}>-]+|<Buffer\b)|(0x|\\x)?((?:(?!0x)[\da-f]){0,4096})/giy
/** Nothing but that. */
const ALL_HEX = /^(?:[\s,:;[\]{}]|0x|\\x|[\da-f])*$/i
/** Somebody began to write bytes: base64 has no prefixes, and no spaces after two characters. */
const BEGINS_AS_HEX = /^[\s[{]*(?:<Buffer\b|(?:0x|\\x)[\da-f]|[\da-f]{2}[\s,:;])/i
/** Bytes with hyphens between them, of which base64url could hardly have one at every third place; the last may be cut. */
const HYPHENATED = /^\s*[\da-f]{2}(?:[\s-]+[\da-f]{2})+[\s-]*[\da-f]?\s*$/i
const BASE64 = /^[\w+/-]+={0,2}$/
/** Characters that tell which of the two a text is. */
const TELLING = 65_536

/**
 * Reads a text, and no more of it than it has to.
 *
 * @param form how to read it; where it is not given hexadecimal, when that is possible
 * @param most bytes that are read
 */
export function parseBytes(text: string, form?: BytesForm, most = Number.POSITIVE_INFINITY): ParsedBytes {
  if (form !== undefined) return form === 'hex' ? parseHex(text, most) : parseBase64(text, most)
  const beginning = text.slice(0, TELLING)
  if ([ALL_HEX, BEGINS_AS_HEX, HYPHENATED].some(pattern => pattern.test(beginning)))
    return parseHex(text, most)
  if (BASE64.test(withoutSpaces(beginning))) return parseBase64(text, most)
  const wrong = strange(beginning, /[\da-f\s,:;[\]{}]/i)
  return { ...none('base64'), fault: `${quoted(wrong)} is neither hexadecimal nor base64` }
}

function parseHex(text: string, most: number): ParsedBytes {
  const room = Math.min(most, Math.ceil(text.length / 2))
  const bytes = new Uint8Array(room)
  let count = 0
  const result = (fault: string | undefined, isCut = false): ParsedBytes => ({
    bytes: bytes.slice(0, count),
    form: 'hex',
    fault,
    isCut,
  })
  HEX_TOKEN.lastIndex = 0
  while (HEX_TOKEN.lastIndex < text.length) {
    const at = HEX_TOKEN.lastIndex
    const [token = '', between, prefix, digits = ''] = HEX_TOKEN.exec(text) ?? []
    if (between !== undefined) continue
    if (digits === '') {
      const wrong = String.fromCodePoint(text.codePointAt(at + (prefix ?? '').length) ?? 0x20)
      return result(`${quoted(prefix === undefined ? wrong : prefix + wrong)} is no hexadecimal digit`)
    }
    // `0x8` in source code is a whole byte.
    const isShort = prefix !== undefined && digits.length === 1
    const whole = isShort ? 2 : digits.length - (digits.length % 2)
    const padded = isShort ? `0${digits}` : digits
    for (let i = 0; i < whole; i += 2) {
      if (count === room) return result(undefined, true)
      bytes[count++] = Number.parseInt(padded.slice(i, i + 2), 16)
    }
    if (whole < padded.length) {
      return result(
        `half a byte: the number of hexadecimal digits in ${quoted(token.length > 12 ? `…${token.slice(-12)}` : token)} is odd`,
      )
    }
  }
  return result(undefined)
}

function parseBase64(text: string, most: number): ParsedBytes {
  // Four characters for three bytes, and some more between lines.
  const wanted = Math.ceil(most / 3) * 4
  const beginning = text.slice(0, 2 * wanted)
  const compact = withoutSpaces(beginning).replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  const characters = compact.slice(0, wanted)
  const wrong = strange(characters, /[\da-z+/]/i)
  const end = wrong === undefined ? characters.length : characters.indexOf(wrong)
  const isLeftOver = wrong === undefined && end % 4 === 1
  const usable = characters.slice(0, wrong !== undefined || isLeftOver ? end - (end % 4) : end)
  const bytes = Uint8Array.from(atob(usable), character => character.charCodeAt(0))
  return {
    bytes: bytes.slice(0, most),
    form: 'base64',
    fault:
      wrong !== undefined
        ? `${quoted(wrong)} is no base64`
        : isLeftOver
          ? 'a single character of base64 is left over at the end'
          : undefined,
    isCut: bytes.length > most || compact.length > wanted || text.length > beginning.length,
  }
}

function none(form: BytesForm): ParsedBytes {
  return { bytes: new Uint8Array(), form, fault: undefined, isCut: false }
}

function withoutSpaces(text: string): string {
  return text.replaceAll(/\s/g, '')
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

/** A number as the page writes them: `2,000`. */
export function grouped(count: number | bigint): string {
  return count.toLocaleString('en-US')
}

/** How many bytes, in words: `1 byte`, `2,000 bytes`. */
export function countBytes(count: number | bigint): string {
  return `${grouped(count)} ${count === 1 || count === 1n ? 'byte' : 'bytes'}`
}
