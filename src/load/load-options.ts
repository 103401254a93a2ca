import { OptionError } from '../errors.js'

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
  /**
   * Messages per second in all, 0 to 10 million; 0, the default, for as many as come back. With a rate, latency
   * counts from the time at which a message should have been sent, so that a server that stalls can't hide it.
   */
  rate: number
  /** Processes that share the connections, 1 to 64, default 1. */
  processes: number
  /** Subprotocols to offer. */
  protocols: readonly string[]
}

/** A rule for each number: default, least and most. */
export const LOAD_RANGES = {
  connections: { default: 50, min: 1, max: 65_535, whole: true },
  duration: { default: 10, min: 0.1, max: 86_400, whole: false },
  warmup: { default: 0, min: 0, max: 3600, whole: false },
  pipelining: { default: 1, min: 1, max: 10_000, whole: true },
  size: { default: 20, min: 0, max: 64 * 1024 * 1024, whole: true },
  rate: { default: 0, min: 0, max: 10_000_000, whole: false },
  processes: { default: 1, min: 1, max: 64, whole: true },
} as const

export type LoadNumber = keyof typeof LOAD_RANGES

/**
 * Checks what was asked for and fills in the defaults.
 *
 * @throws OptionError (`ERR_LOAD_OPTION`) that says what may be given
 */
export function resolveLoadOptions(url: string, given: Partial<Omit<LoadOptions, 'url'>> = {}): LoadOptions {
  const numbers = {} as Record<LoadNumber, number>
  for (const name of Object.keys(LOAD_RANGES) as LoadNumber[]) {
    const range = LOAD_RANGES[name]
    const value = given[name] ?? range.default
    if (!(value >= range.min && value <= range.max) || (range.whole && !Number.isInteger(value))) {
      const kind = range.whole ? 'a whole number' : 'a number'
      throw new OptionError(
        'ERR_LOAD_OPTION',
        `${name} must be ${kind} from ${range.min} to ${range.max}, not ${value}`,
      )
    }
    numbers[name] = value
  }
  if (numbers.processes > numbers.connections) {
    throw new OptionError('ERR_LOAD_OPTION', 'there must be at least one connection for each process')
  }
  return {
    ...numbers,
    url: loadUrl(url),
    text: given.text ?? false,
    protocols: given.protocols ?? [],
  }
}

function loadUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.protocol !== 'ws:' || url.hash !== '') {
    throw new OptionError(
      'ERR_LOAD_OPTION',
      `the target must be a ws:// URL such as ws://localhost:9000/, not ${text}`,
    )
  }
  return url
}
