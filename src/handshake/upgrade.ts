import type { HandshakeError } from '../errors.js'
import { VERSION } from '../rfc6455.js'
import { acceptKey, isValidKey } from './accept.js'
import { type Extension, parseExtensions } from './extensions.js'
import { FieldLines } from './fields.js'
import { isValidHost } from './host.js'
import { handshakeError } from './refusals.js'
import type { Request } from './request.js'
import { chooseSubprotocol, parseSubprotocols } from './subprotocols.js'
import { equalsName, isValidToken, splitList } from './token.js'

/** What the server lets in. */
export interface UpgradePolicy {
  /** The only path that is served, compared without the query; undefined for any. */
  readonly path: string | undefined
  /** The allowed values of `Origin`, compared character by character; undefined for any, and for none. */
  readonly origins: readonly string[] | undefined
  /** The subprotocols that the server speaks. */
  readonly protocols: readonly string[]
}

/** A request that may become a WebSocket connection. */
export interface Upgrade {
  /** Value of the response's `Sec-WebSocket-Accept`. */
  readonly accept: string
  /** Subprotocols the client offers, in its order of preference. */
  readonly protocols: readonly string[]
  /** The first offered subprotocol that the policy lists. */
  readonly protocol: string | undefined
  /** Extensions the client offers, in its order of preference. */
  readonly extensions: readonly Extension[]
}

/** The fields whose values are looked at, by their place in `values`. */
const Field = {
  HOST: 0,
  UPGRADE: 1,
  CONNECTION: 2,
  VERSION: 3,
  KEY: 4,
  CONTENT_LENGTH: 5,
  TRANSFER_ENCODING: 6,
  EXTENSIONS: 7,
  PROTOCOL: 8,
  ORIGIN: 9,
} as const

/** Fields of lists: several lines are one list (RFC 9110 5.3). */
const LISTS: readonly (readonly [name: string, field: number])[] = [
  ['upgrade', Field.UPGRADE],
  ['connection', Field.CONNECTION],
  ['transfer-encoding', Field.TRANSFER_ENCODING],
  ['sec-websocket-extensions', Field.EXTENSIONS],
  ['sec-websocket-protocol', Field.PROTOCOL],
]

/**
 * Fields of one value: a second line is refused, even if it says the same. Those without a place below `FIELDS` are
 * not looked at here, but an application that does so must not be told one value while a proxy believed the other.
 */
const SINGLES: readonly (readonly [name: string, field: number])[] = [
  ['host', Field.HOST],
  ['sec-websocket-version', Field.VERSION],
  ['sec-websocket-key', Field.KEY],
  ['content-length', Field.CONTENT_LENGTH],
  ['origin', Field.ORIGIN],
  ['authorization', 10],
  ['proxy-authorization', 11],
  ['content-type', 12],
  ['user-agent', 13],
  ['referer', 14],
  ['from', 15],
  ['max-forwards', 16],
  ['date', 17],
  ['if-modified-since', 18],
  ['if-unmodified-since', 19],
]

const FIELDS = 10

/** Copied for each request: the quickest way to a small array. */
const NO_VALUES: readonly (string | undefined)[] = Array.from({ length: FIELDS })

interface KnownField {
  readonly name: string
  readonly field: number
  readonly isList: boolean
}

/** The known fields by the length of their name, so that most lines cost one look-up. */
const BY_LENGTH: (readonly KnownField[] | undefined)[] = []
for (const [table, isList] of [
  [LISTS, true],
  [SINGLES, false],
] as const) {
  for (const [name, field] of table) {
    BY_LENGTH[name.length] = [...(BY_LENGTH[name.length] ?? []), { name, field, isList }]
  }
}

/**
 * A Content-Length of 0 with its white space. A tab behind it would be valid (RFC 9110 5.5), but parsers disagree about
 * it, Node's refuses it, and where a body ends is nothing to disagree about.
 */
const NO_LENGTH = /^[\t ]*0+ *$/

const NONE: readonly never[] = Object.freeze([])

/**
 * Decides about a request by RFC 6455 4.2.1 and the server's policy.
 *
 * @returns undefined when the request doesn't ask for the WebSocket protocol: it is plain HTTP then. An error when it
 *   must be refused, whether it is an upgrade or not.
 */
export function examine(request: Request, policy: UpgradePolicy): Upgrade | HandshakeError | undefined {
  const values = NO_VALUES.slice()
  if (!collect(request.head, values)) return handshakeError('ERR_HANDSHAKE_DUPLICATE')

  const protocolList = values[Field.UPGRADE]
  if (protocolList === undefined) return undefined
  if (!equalsName(protocolList, 'websocket')) {
    if (!namesWebSocket(protocolList)) return undefined
    if (!splitList(protocolList).every(isValidProtocol)) return handshakeError('ERR_HANDSHAKE_UPGRADE')
  }
  if (request.method !== 'GET') return handshakeError('ERR_HANDSHAKE_METHOD')
  if (request.version !== '1.1') return handshakeError('ERR_HANDSHAKE_HTTP_VERSION')
  const path = pathOf(request.url)
  if (path === undefined) return handshakeError('ERR_HANDSHAKE_TARGET')
  const host = values[Field.HOST]
  if (host === undefined || !isValidHost(host)) return handshakeError('ERR_HANDSHAKE_HOST')
  if (!isUpgradeConnection(values[Field.CONNECTION])) return handshakeError('ERR_HANDSHAKE_CONNECTION')
  // A missing version is 426 like a wrong one: the answer tells the client which one to send.
  if (values[Field.VERSION] !== VERSION) return handshakeError('ERR_HANDSHAKE_VERSION')
  const key = values[Field.KEY]
  if (key === undefined || !isValidKey(key)) return handshakeError('ERR_HANDSHAKE_KEY')
  const length = values[Field.CONTENT_LENGTH]
  if (values[Field.TRANSFER_ENCODING] !== undefined || (length !== undefined && !NO_LENGTH.test(length))) {
    return handshakeError('ERR_HANDSHAKE_BODY')
  }
  const offers = values[Field.EXTENSIONS]
  const extensions = offers === undefined ? NONE : parseExtensions(offers)
  if (extensions === undefined) return handshakeError('ERR_HANDSHAKE_EXTENSIONS')
  const offered = values[Field.PROTOCOL]
  const protocols = offered === undefined ? NONE : parseSubprotocols(offered)
  if (protocols === undefined) return handshakeError('ERR_HANDSHAKE_PROTOCOLS')
  if (policy.path !== undefined && path !== policy.path) return handshakeError('ERR_HANDSHAKE_PATH')
  if (policy.origins !== undefined) {
    const origin = values[Field.ORIGIN]
    if (origin === undefined || !policy.origins.includes(origin))
      return handshakeError('ERR_HANDSHAKE_ORIGIN')
  }
  return {
    accept: acceptKey(key),
    protocols,
    protocol: chooseSubprotocol(protocols, policy.protocols),
    extensions,
  }
}

/**
 * Whether a value of Upgrade asks for the WebSocket protocol, among others. `websocket/13` is another: RFC 6455 4.2.1
 * wants the value "websocket", which has no version.
 */
export function namesWebSocket(protocolList: string): boolean {
  return splitList(protocolList).some(element => equalsName(element, 'websocket'))
}

/** Puts the values of the known fields into `values`. @returns false when a field of one value came twice */
function collect(head: string, values: (string | undefined)[]): boolean {
  let seen = 0
  for (const lines = new FieldLines(head); lines.next(); ) {
    const candidates = BY_LENGTH[lines.nameLength]
    if (candidates === undefined) continue
    for (const { name, field, isList } of candidates) {
      if (!lines.isNamed(name)) continue
      if (isList) {
        const earlier = values[field]
        values[field] = earlier === undefined ? lines.value : `${earlier},${lines.value}`
      } else {
        if ((seen & (1 << field)) !== 0) return false
        seen |= 1 << field
        if (field === Field.CONTENT_LENGTH) values[field] = lines.untrimmedValue
        else if (field < FIELDS) values[field] = lines.value
      }
      break
    }
  }
  return true
}

/** protocol-name [ "/" protocol-version ] (RFC 9110 7.8). */
function isValidProtocol(element: string): boolean {
  const slash = element.indexOf('/')
  if (slash === -1) return isValidToken(element)
  return isValidToken(element.slice(0, slash)) && isValidToken(element.slice(slash + 1))
}

/** Whether the value is a list of tokens (RFC 9110 7.6.1) with `upgrade` among them. */
function isUpgradeConnection(value: string | undefined): boolean {
  if (value === undefined) return false
  if (equalsName(value, 'upgrade')) return true
  const options = splitList(value)
  return options.every(isValidToken) && options.some(option => equalsName(option, 'upgrade'))
}

/**
 * The path of a request target, without the query: of a target in origin form, or of an absolute http or https URI
 * (RFC 6455 4.1, RFC 9112 3.2). Undefined for any other target and for one with a fragment (RFC 6455 3).
 */
function pathOf(target: string): string | undefined {
  if (target.includes('#')) return undefined
  let start = 0
  if (target.charCodeAt(0) !== 0x2f) {
    const scheme = /^https?:\/\//i.exec(target)
    if (scheme === null) return undefined
    const authority = /^[^/?]*/.exec(target.slice(scheme[0].length))?.[0] ?? ''
    if (!isValidHost(authority)) return undefined
    start = scheme[0].length + authority.length
    if (target.charCodeAt(start) !== 0x2f) return '/'
  }
  const query = target.indexOf('?', start)
  return target.slice(start, query === -1 ? target.length : query)
}
