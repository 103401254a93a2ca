import { isValidToken, tokenEnd, whiteSpaceEnd } from './token.js'

/** A parameter of an extension; `value` is undefined where none was given, as in `client_max_window_bits`. */
export interface ExtensionParameter {
  readonly name: string
  readonly value: string | undefined
}

/** One element of `Sec-WebSocket-Extensions`: what a client offers, or what a server accepts (RFC 6455 9.1). */
export interface Extension {
  readonly name: string
  /** In the order they came, repeated ones too: what they mean is the extension's business. */
  readonly parameters: readonly ExtensionParameter[]
}

const COMMA = 0x2c
const SEMICOLON = 0x3b
const EQUALS = 0x3d
const QUOTE = 0x22
const BACKSLASH = 0x5c

const NO_PARAMETERS: readonly ExtensionParameter[] = Object.freeze([])

/**
 * Parses a `Sec-WebSocket-Extensions` value by the grammar of RFC 6455 9.1. White space may stand around every `,`,
 * `;` and `=` (the grammar has RFC 2616's implied white space), empty list elements are left out, and there must be
 * one extension at least.
 *
 * @returns the extensions in their order of preference; undefined for a malformed value
 */
export function parseExtensions(value: string): Extension[] | undefined {
  const extensions: Extension[] = []
  let at = 0
  for (;;) {
    at = whiteSpaceEnd(value, at)
    if (at === value.length) break
    if (value.charCodeAt(at) === COMMA) {
      at++
      continue
    }
    const nameEnd = tokenEnd(value, at)
    if (nameEnd === at) return undefined
    const name = value.slice(at, nameEnd)
    at = whiteSpaceEnd(value, nameEnd)
    let parameters: ExtensionParameter[] | undefined
    while (value.charCodeAt(at) === SEMICOLON) {
      at = whiteSpaceEnd(value, at + 1)
      const end = tokenEnd(value, at)
      if (end === at) return undefined
      const parameter: { name: string; value: string | undefined } = {
        name: value.slice(at, end),
        value: undefined,
      }
      at = whiteSpaceEnd(value, end)
      if (value.charCodeAt(at) === EQUALS) {
        at = whiteSpaceEnd(value, at + 1)
        const valueEnd = value.charCodeAt(at) === QUOTE ? quotedEnd(value, at) : tokenEnd(value, at)
        if (valueEnd === at) return undefined
        parameter.value =
          value.charCodeAt(at) === QUOTE
            ? unquote(value.slice(at + 1, valueEnd - 1))
            : value.slice(at, valueEnd)
        if (!isValidToken(parameter.value)) return undefined
        at = whiteSpaceEnd(value, valueEnd)
      }
      parameters ??= []
      parameters.push(parameter)
    }
    extensions.push({ name, parameters: parameters ?? NO_PARAMETERS })
    if (at === value.length) break
    if (value.charCodeAt(at) !== COMMA) return undefined
    at++
  }
  return extensions.length === 0 ? undefined : extensions
}

/** Where the quoted string (RFC 9110 5.6.4) that begins at `start` ends; `start` itself when it doesn't. */
function quotedEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at + 1
    if (code === BACKSLASH) at++
  }
  return start
}

/** What stands between the quotes, without the backslashes that escape the characters after them. */
function unquote(text: string): string {
  return text.includes('\\') ? text.replaceAll(/\\(.)/gs, '$1') : text
}

/** The reverse of `parseExtensions`. Values are tokens, so none needs quotes. */
export function serializeExtensions(extensions: readonly Extension[]): string {
  return extensions.map(serializeExtension).join(', ')
}

function serializeExtension(extension: Extension): string {
  let text = extension.name
  for (const { name, value } of extension.parameters) {
    text += value === undefined ? `; ${name}` : `; ${name}=${value}`
  }
  return text
}
