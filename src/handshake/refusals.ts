import { HandshakeError } from '../errors.js'
import { VERSION } from '../rfc6455.js'

interface RefusalFacts {
  readonly status: number
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Every reason to refuse an opening request: its stable code, its HTTP status, and the text that is the response's
 * body. Nothing of the request is repeated in the text.
 */
const REFUSALS = {
  // The head as bytes: head.ts. It is refused at the first byte that breaks the grammar.
  ERR_HANDSHAKE_HEAD_TOO_LONG: { status: 431, text: 'the request head is longer than maxHeaderBytes' },
  ERR_HANDSHAKE_TOO_MANY_LINES: {
    status: 431,
    text: 'the request has more header lines than maxHeaderLines',
  },
  ERR_HANDSHAKE_REQUEST_LINE: {
    status: 400,
    text: 'the request line is not "method SP target SP HTTP/x.y" (RFC 9112 3)',
  },
  ERR_HANDSHAKE_BARE_LF: { status: 400, text: 'a line ends with LF instead of CR LF (RFC 9112 2.2)' },
  ERR_HANDSHAKE_BARE_CR: { status: 400, text: 'a CR is not followed by LF (RFC 9112 2.2)' },
  ERR_HANDSHAKE_OBS_FOLD: { status: 400, text: 'a header line begins with white space (RFC 9112 5.2)' },
  ERR_HANDSHAKE_FIELD_NAME: {
    status: 400,
    text: 'a header line does not begin with a name of token characters and a colon (RFC 9112 5.1)',
  },
  ERR_HANDSHAKE_FIELD_VALUE: { status: 400, text: 'a header value has a control character (RFC 9110 5.5)' },

  // What the request says: upgrade.ts, in this order.
  ERR_HANDSHAKE_DUPLICATE: {
    status: 400,
    text: 'a header that may appear once appears twice (RFC 9110 5.3)',
  },
  ERR_HANDSHAKE_METHOD: {
    status: 405,
    text: 'the method of a WebSocket upgrade is GET (RFC 6455 4.2.1)',
    headers: { Allow: 'GET' },
  },
  ERR_HANDSHAKE_CONNECT: {
    status: 405,
    text: 'the server is no proxy: there is no CONNECT (RFC 9110 9.3.6)',
    headers: { Allow: 'GET' },
  },
  ERR_HANDSHAKE_HTTP_VERSION: { status: 400, text: 'a WebSocket upgrade needs HTTP/1.1 (RFC 6455 4.2.1)' },
  ERR_HANDSHAKE_TARGET: {
    status: 400,
    text: 'the target is not a path or an http or https URI without a fragment (RFC 6455 4.1, RFC 9112 3.2)',
  },
  ERR_HANDSHAKE_HOST: { status: 400, text: 'Host is missing or not a valid host (RFC 9112 3.2)' },
  ERR_HANDSHAKE_UPGRADE: { status: 400, text: 'Upgrade is not a list of protocols (RFC 9110 7.8)' },
  ERR_HANDSHAKE_CONNECTION: {
    status: 400,
    text: 'Connection is not a list of tokens with Upgrade among them (RFC 6455 4.2.1)',
  },
  ERR_HANDSHAKE_VERSION: {
    status: 426,
    text: `Sec-WebSocket-Version is not ${VERSION} (RFC 6455 4.4)`,
    headers: { 'Sec-WebSocket-Version': VERSION },
  },
  ERR_HANDSHAKE_KEY: {
    status: 400,
    text: 'Sec-WebSocket-Key is missing or not 16 bytes in base64 (RFC 6455 4.2.1)',
  },
  ERR_HANDSHAKE_BODY: { status: 400, text: 'a WebSocket upgrade has no body and no Transfer-Encoding' },
  ERR_HANDSHAKE_EXTENSIONS: { status: 400, text: 'Sec-WebSocket-Extensions is malformed (RFC 6455 9.1)' },
  ERR_HANDSHAKE_PROTOCOLS: {
    status: 400,
    text: 'Sec-WebSocket-Protocol is not a list of different tokens (RFC 6455 4.1)',
  },
  ERR_HANDSHAKE_FORWARDED: {
    status: 400,
    text: 'the header in which the proxy says who the client is cannot be read (RFC 7239 4)',
  },
  ERR_HANDSHAKE_PROXY: {
    status: 400,
    text: 'the connection does not begin with a PROXY header, or comes from nobody in trustProxy',
  },
  ERR_HANDSHAKE_PATH: { status: 404, text: 'there is no WebSocket at this path' },
  ERR_HANDSHAKE_ORIGIN: { status: 403, text: 'the origin is not allowed (RFC 6455 4.2.2)' },

  // What happens to the connection meanwhile: src/connection/.
  ERR_HANDSHAKE_TIMEOUT: { status: 408, text: 'the opening handshake took too long' },
  ERR_HANDSHAKE_HOOK: { status: 500, text: 'the server failed to decide about the request' },
  ERR_HANDSHAKE_TOO_MANY: { status: 429, text: 'the client has as many connections as it may have' },
  ERR_HANDSHAKE_TOO_FAST: { status: 429, text: 'the client opens connections faster than it may' },
  ERR_HANDSHAKE_OVERLOADED: { status: 503, text: 'the server has no room for another connection' },
} as const satisfies Record<string, RefusalFacts>

/** Stable codes of the errors that refuse an opening request. */
export type HandshakeCode = keyof typeof REFUSALS

const errors = new Map<string, HandshakeError>()
for (const [code, facts] of Object.entries<RefusalFacts>(REFUSALS)) {
  errors.set(code, Object.freeze(new HandshakeError(code, facts.text, facts.status, facts.headers)))
}

/** All codes, for documentation and tests. */
export const HANDSHAKE_CODES = Object.keys(REFUSALS) as readonly HandshakeCode[]

/** What refusals are counted by: the codes, in words, and what the application decided. */
export const REFUSAL_REASONS: readonly string[] = [
  'application',
  ...HANDSHAKE_CODES.map(code => code.replace('ERR_HANDSHAKE_', '').toLowerCase()),
]

const indexes = new Map<string, number>(HANDSHAKE_CODES.map((code, index) => [code, index + 1]))

/** The place in `REFUSAL_REASONS` of an error's code; undefined for a refusal that the application decided on. */
export function refusalIndex(code: string | undefined): number {
  return indexes.get(code ?? '') ?? 0
}

/**
 * The error that stands for a code. There is one frozen error per code: they say nothing about the single request,
 * and so a flood of bad requests doesn't cost a captured stack for each.
 */
export function handshakeError(code: HandshakeCode): HandshakeError {
  return errors.get(code) as HandshakeError
}
