/**
 * Tokens and lists of them (RFC 9110 5.6.1, 5.6.2).
 */

const TAB = 0x09
const SPACE = 0x20

/** 1 for the characters a token is made of (RFC 9110 5.6.2), by character code. */
export const TOKEN_CHARACTER = new Uint8Array(256)
for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  TOKEN_CHARACTER[character.charCodeAt(0)] = 1
}

/** Where the token that begins at `start` ends; `start` itself when there is none. */
export function tokenEnd(text: string, start: number): number {
  let at = start
  while (at < text.length && TOKEN_CHARACTER[text.charCodeAt(at)] === 1) at++
  return at
}

/** Where the optional white space (spaces and tabs, RFC 9110 5.6.3) that begins at `start` ends. */
export function whiteSpaceEnd(text: string, start: number): number {
  let at = start
  while (at < text.length && isWhiteSpace(text.charCodeAt(at))) at++
  return at
}

export function isWhiteSpace(code: number): boolean {
  return code === SPACE || code === TAB
}

export function isValidToken(text: string): boolean {
  return text.length > 0 && tokenEnd(text, 0) === text.length
}

/**
 * Whether the characters of `text` from `start` are `name`, in any case.
 *
 * @param name lower-case letters, digits and hyphens
 */
export function isNamed(text: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = text.charCodeAt(start + i)
    const wanted = name.charCodeAt(i)
    if (code !== wanted && (code < 0x41 || code > 0x5a || (code | 0x20) !== wanted)) return false
  }
  return true
}

/** Whether `text` is `name`, in any case. */
export function equalsName(text: string, name: string): boolean {
  return text.length === name.length && isNamed(text, 0, name)
}

/**
 * The elements of a list field (RFC 9110 5.6.1) whose elements have no quoted strings. Empty elements are left out,
 * as the RFC tells recipients to.
 */
export function splitList(value: string): string[] {
  const elements: string[] = []
  let at = 0
  while (at <= value.length) {
    const comma = value.indexOf(',', at)
    let end = comma === -1 ? value.length : comma
    const next = end + 1
    at = whiteSpaceEnd(value, at)
    while (end > at && isWhiteSpace(value.charCodeAt(end - 1))) end--
    if (end > at) elements.push(value.slice(at, end))
    at = next
  }
  return elements
}
