import { StateError } from '../errors.js'
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

const NO_PARAMETERS: readonly ExtensionParameter[] = Object.freeze([])

/**
 * Parses a `Sec-WebSocket-Extensions` value by the grammar of RFC 6455 9.1. White space may stand around every `,`,
 * `;` and `=` (the grammar has RFC 2616's implied white space), empty list elements are left out, and there must be
 * one extension at least.
 *
 * @returns the extensions in their order of preference; undefined for a malformed value
 */
export function parseExtensions(value: string): Extension[] | undefined {
  const length = value.length
  const extensions: Extension[] = []
  let at = whiteSpaceEnd(value, 0)
  while (at < length) {
    if (value.charCodeAt(at) === COMMA) {
      at = whiteSpaceEnd(value, at + 1)
      continue
    }
    const nameEnd = tokenEnd(value, at)
    if (nameEnd === at) return undefined
    const name = value.slice(at, nameEnd)
    at = whiteSpaceEnd(value, nameEnd)
    let parameters: ExtensionParameter[] | undefined
    while (at < length && value.charCodeAt(at) === SEMICOLON) {
      const start = whiteSpaceEnd(value, at + 1)
      const end = tokenEnd(value, start)
      if (end === start) return undefined
      let parameterValue: string | undefined
      at = whiteSpaceEnd(value, end)
      if (at < length && value.charCodeAt(at) === EQUALS) {
        const valueStart = whiteSpaceEnd(value, at + 1)
        const isQuoted = value.startsWith('"', valueStart)
        // What is quoted must be a token after unescaping, so an escaped quote is refused wherever the string is
        // taken to end.
        const valueEnd = isQuoted ? value.indexOf('"', valueStart + 1) + 1 : tokenEnd(value, valueStart)
        if (valueEnd <= valueStart) return undefined
        parameterValue = value.slice(valueStart, valueEnd)
        if (isQuoted) {
          parameterValue = unquote(parameterValue)
          if (!isValidToken(parameterValue)) return undefined
        }
        at = whiteSpaceEnd(value, valueEnd)
      }
      parameters ??= []
      parameters.push({ name: value.slice(start, end), value: parameterValue })
    }
    extensions.push({ name, parameters: parameters ?? NO_PARAMETERS })
    if (at < length && value.charCodeAt(at) !== COMMA) return undefined
  }
  return extensions.length === 0 ? undefined : extensions
}

/** What a quoted string says: without its quotes and the backslashes that escape the characters after them. */
function unquote(quoted: string): string {
  return quoted.slice(1, -1).replaceAll(/\\(.)/gs, '$1')
}

/**
 * The reverse of `parseExtensions`. Values are tokens, so none needs quotes.
 *
 * @throws StateError (`ERR_STATE_EXTENSION`) for a name or a value that is no token
 */
export function serializeExtensions(extensions: readonly Extension[]): string {
  return extensions.map(serializeExtension).join(', ')
}

function serializeExtension(extension: Extension): string {
  let text = checkedToken(extension.name)
  for (const { name, value } of extension.parameters) {
    text += `; ${checkedToken(name)}`
    if (value !== undefined) text += `=${checkedToken(value)}`
  }
  return text
}

function checkedToken(text: string): string {
  if (typeof text === 'string' && isValidToken(text)) return text
  throw new StateError(
    'ERR_STATE_EXTENSION',
    `${JSON.stringify(text)} is no token: it can't be sent as a name or a value of an extension`,
  )
}
