import { HandshakeError, StateError } from '../errors.js'
import { type Extension, serializeExtensions } from './extensions.js'
import { decodeLatin1 } from './latin1.js'
import { reasonOf } from './status.js'
import { isValidToken } from './token.js'
import type { Upgrade } from './upgrade.js'

/**
 * Responses are strings of one character per byte: write them as latin1.
 */

/** What the application adds to an acceptance. */
export interface AcceptanceFacts {
  /** One of the offered subprotocols; by default `upgrade.protocol`. */
  readonly protocol?: string | undefined
  /** Headers to add. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** A refusal that the application decided on. */
export interface RefusalFacts {
  /** 300 to 599, but not 304. */
  readonly status: number
  /** Headers to add; `Content-Type` and `Date` replace the ones that are sent by default. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** By default the status' reason phrase. */
  readonly body?: string | undefined
}

export interface RefusalContext {
  /** Value of `Date` (RFC 9110 6.6.1); without it the field is left out. */
  readonly date?: string | undefined
  /** The request's method, if it is known: the response to HEAD has no body (RFC 9110 9.3.2). */
  readonly method?: string | undefined
}

/** Headers that say how the connection goes on and where the response ends, in lower case. */
const OWNED: ReadonlySet<string> = new Set([
  'connection',
  'upgrade',
  'sec-websocket-accept',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'content-length',
  'transfer-encoding',
])

/** VCHAR, SP, HTAB and obs-text (RFC 9110 5.5). */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

const utf8 = new TextEncoder()

/**
 * The response that accepts an upgrade (RFC 6455 4.2.2).
 *
 * @param extensions what was negotiated; not among the facts, since it is not the application's to say
 * @throws StateError for a subprotocol that was not offered (`ERR_STATE_PROTOCOL`) and for headers that can't be sent
 *   (`ERR_STATE_HEADER`)
 */
export function serializeAcceptance(
  upgrade: Upgrade,
  facts?: AcceptanceFacts,
  extensions: readonly Extension[] = [],
): string {
  let more = ''
  if (facts?.protocol !== undefined && !upgrade.protocols.includes(facts.protocol)) {
    const offers = upgrade.protocols.length === 0 ? 'none' : upgrade.protocols.join(', ')
    throw new StateError(
      'ERR_STATE_PROTOCOL',
      `the subprotocol ${JSON.stringify(facts.protocol)} was not offered: choose one of request.protocols (${offers}) or leave protocol out`,
    )
  }
  const protocol = facts?.protocol ?? upgrade.protocol
  if (protocol !== undefined) more = `Sec-WebSocket-Protocol: ${protocol}\r\n`
  if (extensions.length > 0) more += `Sec-WebSocket-Extensions: ${serializeExtensions(extensions)}\r\n`
  if (facts?.headers !== undefined) more += serializeHeaders(facts.headers)
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${upgrade.accept}\r\n${more}\r\n`
}

/**
 * The response that refuses a request; the connection ends after it.
 *
 * A 426 names the protocol to upgrade to (RFC 9110 15.5.22), and what sends `Upgrade` must list it in `Connection`
 * (RFC 9110 7.8): `close` stands beside it.
 *
 * @throws StateError for a status that is no refusal (`ERR_STATE_STATUS`) and for headers that can't be sent
 *   (`ERR_STATE_HEADER`)
 */
export function serializeRefusal(
  refusal: HandshakeError | RefusalFacts,
  context: RefusalContext = {},
): string {
  const { status, headers = {} } = refusal
  if (!Number.isInteger(status) || status < 300 || status > 599 || status === 304) {
    throw new StateError(
      'ERR_STATE_STATUS',
      `${status} is not a status to refuse with: use 300 to 599 without 304, or leave status out to accept`,
    )
  }
  const reason = reasonOf(status)
  const text = refusal instanceof HandshakeError ? refusal.message : refusal.body
  const body = utf8.encode(text ?? (reason === '' ? String(status) : reason))
  const added = serializeHeaders(headers)
  const names = new Set(Object.keys(headers).map(name => name.toLowerCase()))
  let head = `HTTP/1.1 ${status} ${reason}\r\n`
  if (context.date !== undefined && !names.has('date')) head += `Date: ${context.date}\r\n`
  head += status === 426 ? 'Upgrade: websocket\r\nConnection: Upgrade, close\r\n' : 'Connection: close\r\n'
  if (!names.has('content-type')) head += 'Content-Type: text/plain; charset=utf-8\r\n'
  head += `Content-Length: ${body.length}\r\n${added}\r\n`
  return context.method === 'HEAD' ? head : head + decodeLatin1(body, 0, body.length)
}

function serializeHeaders(headers: Readonly<Record<string, string>>): string {
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) {
    throw new StateError(
      'ERR_STATE_HEADER',
      'headers must be an object of names and values: make one of Headers or a Map with Object.fromEntries',
    )
  }
  let lines = ''
  for (const [name, value] of Object.entries(headers)) {
    if (!isValidToken(name)) {
      throw new StateError(
        'ERR_STATE_HEADER',
        `${JSON.stringify(name)} is not a header name: use letters, digits and hyphens`,
      )
    }
    if (OWNED.has(name.toLowerCase())) {
      throw new StateError(
        'ERR_STATE_HEADER',
        `the header ${name} is set by the handshake itself: leave it out`,
      )
    }
    if (typeof value !== 'string' || !FIELD_VALUE.test(value)) {
      throw new StateError(
        'ERR_STATE_HEADER',
        `the value of the header ${name} must be a string without line breaks, control characters and characters above U+00FF: encode it first, for example with encodeURIComponent`,
      )
    }
    lines += `${name}: ${value}\r\n`
  }
  return lines
}
