import { isUtf8 } from 'node:buffer'
import { OptionError } from '../errors.js'
import { samplePayload } from './traffic.js'

/** What a load run does. */
export interface LoadOptions {
  /** `ws://host:port/path` */
  url: URL
  /** 1 to 65535 for each process, default 50. */
  connections: number
  /** Seconds, 0.1 to 86400, default 10. */
  duration: number
  /** Seconds before the measurement begins, 0 to 3600, default 0. */
  warmup: number
  /** Messages under way on each connection, 1 to 10000, default 1. */
  pipelining: number
  /** Bytes of a message, 0 to 64 MiB, default 20. */
  size: number
  /** Text instead of binary messages. */
  text: boolean
  /** The message; by default ASCII text or random bytes, `size` of them. */
  payload: Uint8Array
  /**
   * Messages per second in all, 0 to 10 million; 0, the default, for as many as come back. With a rate, latency
   * counts from the time at which a message should have been sent, so that a server that stalls can't hide it.
   */
  rate: number
  /** Seconds without an answer after which a connection counts as failed, 0.1 to 3600, default 10. */
  timeout: number
  /** Processes that share the connections, 1 to 64, default 1. */
  processes: number
  /** Subprotocols to offer. */
  protocols: readonly string[]
  /** Lines to add to the opening request, such as `Origin: https://example.com`. */
  headers: readonly string[]
  /**
   * The answers are masked, as a client's frames are: the target sends the very bytes back that it got, without
   * decoding them. For measuring what the sockets alone cost. Default false.
   */
  mirrored: boolean
}

/** A rule for each number: default, least and most. */
export const LOAD_RANGES = {
  connections: { default: 50, min: 1, max: 65_535, whole: true },
  duration: { default: 10, min: 0.1, max: 86_400, whole: false },
  warmup: { default: 0, min: 0, max: 3600, whole: false },
  pipelining: { default: 1, min: 1, max: 10_000, whole: true },
  size: { default: 20, min: 0, max: 64 * 1024 * 1024, whole: true },
  rate: { default: 0, min: 0, max: 10_000_000, whole: false },
  timeout: { default: 10, min: 0.1, max: 3600, whole: false },
  processes: { default: 1, min: 1, max: 64, whole: true },
} as const

export type LoadNumber = keyof typeof LOAD_RANGES

/** A header line: token, colon, visible characters and blanks (RFC 9110 5.1, 5.5). */
const HEADER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/
/** What the load generator says by itself. */
const OWN_HEADER = /^(?:host|upgrade|connection|sec-websocket-(?:key|version|protocol|extensions)):/i

/**
 * Checks what was asked for and fills in the defaults.
 *
 * @throws OptionError (`ERR_LOAD_OPTION`) that says what may be given
 */
export function resolveLoadOptions(url: string, given: Partial<Omit<LoadOptions, 'url'>> = {}): LoadOptions {
  const numbers = {} as Record<LoadNumber, number>
  for (const name of Object.keys(LOAD_RANGES) as LoadNumber[]) {
    const range = LOAD_RANGES[name]
    const value = (name === 'size' ? given.payload?.length : undefined) ?? given[name] ?? range.default
    if (!(value >= range.min && value <= range.max) || (range.whole && !Number.isInteger(value))) {
      const kind = range.whole ? 'a whole number' : 'a number'
      throw fault(`${name} must be ${kind} from ${range.min} to ${range.max}, not ${value}`)
    }
    numbers[name] = value
  }
  if (numbers.processes > numbers.connections) {
    throw fault('there must be at least one connection for each process')
  }
  const text = given.text ?? false
  const payload = given.payload ?? samplePayload(numbers.size, text)
  if (text && !isUtf8(payload)) throw fault('the message is not UTF-8, which text must be')
  return {
    ...numbers,
    url: loadUrl(url),
    text,
    payload,
    protocols: given.protocols ?? [],
    headers: (given.headers ?? []).map(headerLine),
    mirrored: given.mirrored ?? false,
  }
}

function loadUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.protocol !== 'ws:' || url.hash !== '') {
    throw fault(`the target must be a ws:// URL such as ws://localhost:9000/, not ${text}`)
  }
  return url
}

function headerLine(line: string): string {
  if (!HEADER.test(line)) {
    throw fault(`a header must be a line such as "Origin: https://example.com", not ${JSON.stringify(line)}`)
  }
  if (OWN_HEADER.test(line)) throw fault(`${line.slice(0, line.indexOf(':'))} is set already`)
  return line
}

function fault(message: string): OptionError {
  return new OptionError('ERR_LOAD_OPTION', message)
}
