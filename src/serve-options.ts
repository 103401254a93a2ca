import { statSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import type { ResourceLimits } from 'node:worker_threads'
import { isValidNetwork } from './address.js'
import { OptionError } from './errors.js'
import type { Logger } from './log.js'
import type { Balance, ConnectionOptions, DeflateOptions, LogLevel } from './options.js'
import { checkTlsOptions, type TlsOptions } from './tls-options.js'

/** The part of the options that concerns the primary thread. */
export interface PrimaryOptions {
  /** TCP port; 0 for any free one. 0 to 65535, default 9000. */
  port: number
  /** Address to listen at. Default `0.0.0.0`: every IPv4 address of the machine; `::` for IPv6 too. */
  host: string
  /**
   * Path of a Unix domain socket to listen at, instead of `host` and `port`. One that a killed server left behind is
   * replaced; it is removed when the server closes. Default: none.
   */
  unix: string | undefined
  /** Permissions of the Unix domain socket, in octal: `660`. Default: what the process' umask leaves. */
  unixMode: string | undefined
  /**
   * A descriptor that listens already, such as 3 from systemd (`sd_listen_fds(3)`), instead of all of the above. 0 to
   * 2^31 - 1, default: none.
   */
  fd: number | undefined
  /** Connections that the kernel keeps until they are accepted. 1 to 65535, default 1000. */
  backlog: number
  /** Shards, each a thread. 1 to 1024, default `os.availableParallelism()`. */
  workers: number
  /** The application module: a path, relative to the working directory, or a URL. Default: the built-in one. */
  app: string | URL | undefined
  /** TLS: `{ key, cert }` and more. Default: none, plain TCP. */
  tls: TlsOptions | undefined
  /** How a connection's shard is chosen. Default `least-connections`. */
  balance: Balance
  /**
   * Connections at a time; what comes beyond is closed at once. 1 to 10,000,000, default 1,000,000; not more than
   * 131,072 for each of `workers` in any case.
   */
  maxConnections: number
  /**
   * Connections at a time from one client: one IPv4 address, or one /64 network of IPv6. 0 to 10,000,000, default 0:
   * no limit.
   */
  maxConnectionsPerIp: number
  /**
   * Opening handshakes in progress at a time, from accepting the connection to the response, that of TLS included; what
   * comes beyond is closed at once. 1 to 10,000,000, default 10,000.
   */
  maxHandshakes: number
  /**
   * Connections a second from one client, as for `maxConnectionsPerIp`, ten seconds' worth at once; what comes beyond is
   * closed at once. 0 to 1,000,000, default 1000; 0: no limit.
   */
  maxHandshakeRatePerIp: number
  /** Milliseconds that `close` gives the connections and the application to end. 0 to 86,400,000, default 10000. */
  stopTimeoutMs: number
  /**
   * Milliseconds over which `close` spreads the closing of the connections, so that they do not all come back in one
   * second; `stopTimeoutMs` begins after it. 0 to 86,400,000, default 0: all at once.
   */
  closeSpreadMs: number
  /**
   * Milliseconds that the connections get to end by themselves whose shards were there before a `reload`; then they are
   * closed with 1012, spread over `closeSpreadMs`. 0 to 86,400,000, default 60000.
   */
  reloadDrainMs: number
  /** Milliseconds a shard has to load and start the application. 1 to 86,400,000, default 30000. */
  startTimeoutMs: number
  /** What is written to stderr, or told to `logger`. Default `info`. */
  logLevel: LogLevel
  /** Lines for people, or one object of JSON in each. Default `text`. */
  logFormat: 'text' | 'json'
  /** Takes the log, of the shards as well, instead of stderr: a pino logger, or an object like it. Default: none. */
  logger: Logger | undefined
  /**
   * Path of the port at which a GET is answered with the metrics in Prometheus' text format, such as `/metrics`.
   * Default: none, since whoever can reach the port could read them.
   */
  metricsPath: string | undefined
  /** TCP port for `/metrics`, `/healthz` and `/readyz` alone; 0 for any free one. 0 to 65535, default: none. */
  adminPort: number | undefined
  /** Address to listen at for those. Default `127.0.0.1`: this machine only. */
  adminHost: string
  /**
   * Limits of each shard's heap and stack, in MiB; a shard over them is replaced. 16 at least for the old generation,
   * 1 for the others. Default: those of Node, and 32 for the young generation, with which running out of memory ends
   * the shard and not the process.
   */
  resourceLimits: ResourceLimits | undefined
}

type Loose<Options> = { [Name in keyof Options]?: Options[Name] | undefined }

/** Every option of `serve`. What is left out, or undefined, has its default. */
export interface ServeOptions
  extends Loose<PrimaryOptions>,
    Loose<Omit<ConnectionOptions, 'perMessageDeflate'>> {
  /** Compression of messages (RFC 7692). `true` is `{}`. Default `false`: none. */
  perMessageDeflate?: boolean | Loose<DeflateOptions> | undefined
}

/** How an option is checked and described. */
export type OptionRule =
  | { kind: 'integer'; default: number; min: number; max: number; text: string }
  | { kind: 'choice'; default: string; choices: readonly string[]; text: string }
  /** `wants` says what it must be where `accepts` says it is not. */
  | { kind: 'other'; default: unknown; wants: string; accepts: (value: unknown) => boolean; text: string }

const MAX_INT32 = 2 ** 31 - 1
const DAY_MS = 86_400_000

/** What a path of a Unix domain socket may have: `sun_path` of unix(7) with its end; macOS has four less. */
const MOST_UNIX_BYTES = process.platform === 'linux' ? 107 : 103

const MOST_MEMORY = 2 ** 46

/** Token of RFC 9110 5.6.2, which a subprotocol's name is (RFC 6455 4.1). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** MiB. With less, V8 cannot even start the thread and aborts the whole process (seen on Node 22, 24 and 26). */
const RESOURCE_MINIMA = new Map([
  ['maxOldGenerationSizeMb', 16],
  ['maxYoungGenerationSizeMb', 1],
  ['codeRangeSizeMb', 1],
  ['stackSizeMb', 1],
])

/** Of `perMessageDeflate`. */
const DEFLATE_DEFAULTS: DeflateOptions = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
  threshold: 1024,
  level: 6,
  memLevel: 8,
  maxContexts: 128,
}

const DEFLATE_RANGES = new Map<string, readonly [min: number, max: number]>([
  ['serverMaxWindowBits', [8, 15]],
  ['clientMaxWindowBits', [8, 15]],
  ['threshold', [0, MAX_INT32]],
  ['level', [0, 9]],
  ['memLevel', [1, 9]],
  ['maxContexts', [1, 131_072]],
])

/** The one table of defaults and ranges; help texts and documentation are made from it or checked against it. */
export const OPTIONS = {
  port: integer(9000, 0, 65_535, 'TCP port; 0 for any free one'),
  host: other('0.0.0.0', 'a host name or address', isNonEmptyString, 'address to listen at'),
  unix: other(
    undefined,
    `the path of a Unix domain socket, ${MOST_UNIX_BYTES} bytes at most`,
    value => isNonEmptyString(value) && Buffer.byteLength(value as string) <= MOST_UNIX_BYTES,
    'Unix domain socket to listen at, instead of host and port',
  ),
  unixMode: other(
    undefined,
    'permissions in octal, such as 660',
    value => typeof value === 'string' && /^0?[0-7]{3}$/.test(value),
    'its permissions',
  ),
  fd: other(
    undefined,
    'the number of a descriptor',
    value => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_INT32,
    'descriptor of a socket that listens already, instead of host and port',
  ),
  backlog: integer(1000, 1, 65_535, 'connections the kernel keeps until they are accepted'),
  workers: integer(availableParallelism(), 1, 1024, 'shards, each a thread'),
  app: other(
    undefined,
    'the path or the URL of a module',
    value => isNonEmptyString(value) || value instanceof URL,
    'application module; the built-in one by default',
  ),
  tls: other(
    undefined,
    'an object with key and cert',
    value => typeof value === 'object' && value !== null,
    'TLS: key, certificate and more',
  ),
  balance: choice(
    'least-connections',
    ['least-connections', 'round-robin', 'client-address'],
    "how a connection's shard is chosen",
  ),
  maxConnections: integer(1_000_000, 1, 10_000_000, 'connections at a time'),
  maxConnectionsPerIp: integer(0, 0, 10_000_000, 'connections at a time from one client; 0 for no limit'),
  maxHandshakes: integer(50_000, 1, 10_000_000, 'opening handshakes in progress at a time'),
  maxHandshakeRatePerIp: integer(
    1000,
    0,
    1_000_000,
    'connections a second from one client, ten times as many at once; 0 for no limit',
  ),
  stopTimeoutMs: integer(10_000, 0, DAY_MS, 'milliseconds that connections get to end when the server stops'),
  closeSpreadMs: integer(
    0,
    0,
    DAY_MS,
    'milliseconds over which connections are closed when the server stops',
  ),
  reloadDrainMs: integer(
    60_000,
    0,
    DAY_MS,
    'milliseconds that connections get to end after a reload, then they are closed',
  ),
  startTimeoutMs: integer(30_000, 1, DAY_MS, 'milliseconds a shard has to start the application'),
  logLevel: choice('info', ['silent', 'error', 'warn', 'info', 'debug'], 'what is written to stderr'),
  logFormat: choice('text', ['text', 'json'], 'form of the lines on stderr'),
  logger: other(
    undefined,
    'an object with the methods debug, info, warn and error',
    isLogger,
    'takes the log instead of stderr',
  ),
  resourceLimits: other(
    undefined,
    `an object with any of ${Array.from(RESOURCE_MINIMA, ([name, least]) => `${name} (from ${least})`).join(', ')}`,
    isResourceLimits,
    "limits of each shard's heap and stack, in MiB",
  ),
  metricsPath: other(
    undefined,
    'a path that begins with / and has no query',
    isPath,
    'path that answers with the metrics; none by default',
  ),
  adminPort: other(
    undefined,
    'an integer from 0 to 65535',
    value => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535,
    'TCP port for /metrics, /healthz and /readyz; none by default',
  ),
  adminHost: other('127.0.0.1', 'a host name or address', isNonEmptyString, 'address of that port'),
  path: other(
    undefined,
    'a path that begins with / and has no query',
    isPath,
    'only upgrades of this path are accepted',
  ),
  origins: other(undefined, 'a list of strings', isStrings, 'allowed values of Origin; any by default'),
  protocols: other(
    [],
    'a list of different subprotocol names (tokens of RFC 9110)',
    value =>
      isStrings(value) && value.every(name => TOKEN.test(name)) && new Set(value).size === value.length,
    'subprotocols the server speaks',
  ),
  trustProxy: other(
    [],
    "a list of IP addresses, networks such as 10.0.0.0/8, and 'unix'",
    value => isStrings(value) && value.every(isValidNetwork),
    'proxies that may say who the client is; none by default',
  ),
  trustProxyHeader: choice(
    'x-forwarded-for',
    ['x-forwarded-for', 'forwarded', 'none'],
    'the header in which they do',
  ),
  proxyProtocol: other(
    false,
    'true or false',
    value => typeof value === 'boolean',
    'whether connections begin with a PROXY header, from proxies that are trusted',
  ),
  maxHeaderBytes: integer(16_384, 128, 65_536, "bytes of the opening request's head"),
  maxHeaderLines: integer(100, 1, 2000, 'header lines of the opening request'),
  perMessageDeflate: other(
    false,
    `true, false, or an object with any of serverNoContextTakeover and clientNoContextTakeover (true, false), ${Array.from(DEFLATE_RANGES, ([name, [min, max]]) => `${name} (${min} to ${max})`).join(', ')}`,
    isDeflateOptions,
    'compression of messages (permessage-deflate); alone for the defaults',
  ),
  maxPayload: integer(2 ** 20, 0, 536_870_888, 'bytes of a message'),
  maxFragments: integer(2 ** 20, 1, 2 ** 32 - 1, 'frames of a message'),
  maxMessagesPerSecond: integer(0, 0, 1_000_000, 'frames a second from one client; 0 for no limit'),
  maxBytesPerSecond: integer(0, 0, MAX_INT32, 'bytes a second from one client; 0 for no limit'),
  rateLimitPolicy: choice('pause', ['pause', 'close'], 'what happens to a client that sends more'),
  maxBackpressure: integer(2 ** 20, 0, MAX_INT32, 'bytes that may wait for a peer that does not read'),
  backpressurePolicy: choice('close', ['close', 'drop'], 'what happens to a message beyond maxBackpressure'),
  highWaterMark: integer(
    2 ** 16,
    0,
    MAX_INT32,
    'bytes waiting for a peer from which on nothing is read from it',
  ),
  maxMemory: integer(
    defaultMemory(),
    2 ** 20,
    MOST_MEMORY,
    'bytes that all clients together may make the server hold; a quarter of the memory there is',
  ),
  handshakeTimeoutMs: integer(10_000, 1, DAY_MS, 'milliseconds for the opening handshake'),
  httpRequestTimeoutMs: integer(30_000, 1, DAY_MS, 'milliseconds for a plain HTTP request to come in'),
  httpKeepAliveMs: integer(
    5000,
    1,
    DAY_MS,
    'milliseconds that a plain HTTP connection is kept between requests',
  ),
  idlePingMs: integer(30_000, 0, DAY_MS, 'milliseconds of silence after which a peer is pinged; 0 for never'),
  idleTimeoutMs: integer(
    60_000,
    0,
    DAY_MS,
    'milliseconds of silence after which a peer is dropped; 0 for never',
  ),
  closeTimeoutMs: integer(5000, 1, DAY_MS, 'milliseconds for the closing handshake'),
} satisfies Record<keyof PrimaryOptions | keyof ConnectionOptions, OptionRule>

export type OptionName = keyof typeof OPTIONS

/** Everything `serve` needs, complete and checked. */
export interface ResolvedOptions extends Omit<PrimaryOptions, 'app'> {
  /** URL of the application module. */
  app: string | undefined
  connection: ConnectionOptions
}

/**
 * Checks options and fills in the defaults.
 *
 * @throws OptionError (`ERR_OPTION`) that names the option, its value and what it may be
 */
export function resolveOptions(options: ServeOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw new OptionError('ERR_OPTION', `the options must be an object, not ${inspect(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      const known = Object.keys(OPTIONS).join(', ')
      throw new OptionError('ERR_OPTION', `there is no option ${name}; there are: ${known}`)
    }
  }
  const values = {} as Record<OptionName, unknown>
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const value = options[name]
    if (value !== undefined) check(name, value)
    values[name] = value ?? OPTIONS[name].default
  }
  const {
    app,
    port,
    host,
    unix,
    unixMode,
    fd,
    backlog,
    workers,
    tls,
    balance,
    logLevel,
    resourceLimits,
    ...rest
  } = values as unknown as PrimaryOptions & ConnectionOptions
  if (tls !== undefined) checkTlsOptions(tls)
  const { maxConnections, maxConnectionsPerIp, maxHandshakes, maxHandshakeRatePerIp, ...others } = rest
  const { stopTimeoutMs, closeSpreadMs, reloadDrainMs, startTimeoutMs, ...more } = others
  const { logFormat, logger, metricsPath, adminPort, adminHost, ...connection } = more
  const deflate = values.perMessageDeflate as boolean | Loose<DeflateOptions>
  return {
    app: app === undefined ? undefined : appUrl(app),
    port,
    host,
    unix,
    unixMode,
    fd,
    backlog,
    workers,
    tls,
    balance,
    maxConnections,
    maxConnectionsPerIp,
    maxHandshakes,
    maxHandshakeRatePerIp,
    stopTimeoutMs,
    closeSpreadMs,
    reloadDrainMs,
    startTimeoutMs,
    logLevel,
    logFormat,
    logger,
    metricsPath,
    adminPort,
    adminHost,
    resourceLimits,
    connection: {
      ...connection,
      // They are sent to threads as they are now.
      origins: connection.origins && [...connection.origins],
      protocols: [...connection.protocols],
      trustProxy: [...connection.trustProxy],
      perMessageDeflate: deflate === false ? undefined : deflateOptions(deflate === true ? {} : deflate),
    },
  }
}

function deflateOptions(given: Loose<DeflateOptions>): DeflateOptions {
  const values = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...DEFLATE_DEFAULTS, ...Object.fromEntries(values) }
}

/**
 * Checks what options say together.
 *
 * @throws OptionError (`ERR_OPTION`)
 */
export function checkTogether({ connection }: ResolvedOptions): void {
  if (connection.proxyProtocol && connection.trustProxy.length === 0) {
    throw new OptionError(
      'ERR_OPTION',
      "proxyProtocol needs trustProxy, the addresses of the proxies: with it everybody else's connections are closed",
    )
  }
}

/** What an option may be, in words: `1 to 1024`, `close or drop`. */
export function describeRange(name: OptionName): string {
  const rule: OptionRule = OPTIONS[name]
  if (rule.kind === 'integer') return `an integer from ${rule.min} to ${rule.max}`
  return rule.kind === 'choice' ? `one of ${rule.choices.join(', ')}` : rule.wants
}

function check(name: OptionName, value: unknown): void {
  const rule: OptionRule = OPTIONS[name]
  if (!accepts(rule, value)) {
    const shown = inspect(value, { depth: 0, maxStringLength: 100, breakLength: Infinity })
    throw new OptionError('ERR_OPTION', `${name} must be ${describeRange(name)}, not ${shown}`)
  }
}

function accepts(rule: OptionRule, value: unknown): boolean {
  if (rule.kind === 'integer') {
    return Number.isSafeInteger(value) && (value as number) >= rule.min && (value as number) <= rule.max
  }
  return rule.kind === 'choice' ? rule.choices.includes(value as string) : rule.accepts(value)
}

/** Paths are looked for at once, since a thread's "cannot find module" says less. */
function appUrl(app: string | URL): string {
  if (typeof app === 'string' && /^(?:data|node):/.test(app)) return app
  const isUrl = app instanceof URL || app.startsWith('file:')
  const url = isUrl ? new URL(app) : pathToFileURL(resolve(app))
  if (url.protocol !== 'file:') return url.href
  const path = fileURLToPath(url)
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new OptionError('ERR_OPTION', `app must be the path of a module; there is no file ${path}`)
  }
  return url.href
}

/** A quarter of what the machine has, or of what the control group may take. */
function defaultMemory(): number {
  // 0, or more than anything, where there is no limit.
  const constrained = process.constrainedMemory()
  const total = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
  return Math.min(Math.max(Math.floor(total / 4), 2 ** 20), MOST_MEMORY)
}

function integer(value: number, min: number, max: number, text: string) {
  return { kind: 'integer', default: value, min, max, text } as const
}

function choice<Choice extends string>(value: Choice, choices: readonly Choice[], text: string) {
  return { kind: 'choice', default: value, choices, text } as const
}

function other(value: unknown, wants: string, test: (value: unknown) => boolean, text: string) {
  return { kind: 'other', default: value, wants, accepts: test, text } as const
}

function isNonEmptyString(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0
}

function isLogger(value: unknown): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return ['debug', 'info', 'warn', 'error'].every(
    level => typeof (value as Record<string, unknown>)[level] === 'function',
  )
}

function isPath(value: unknown): boolean {
  return typeof value === 'string' && /^\/[!-"$->@-~]*$/.test(value)
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(element => typeof element === 'string')
}

function isResourceLimits(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).every(([name, limit]) => {
    const least = RESOURCE_MINIMA.get(name)
    return least !== undefined && Number.isFinite(limit) && limit >= least
  })
}

function isDeflateOptions(value: unknown): boolean {
  if (typeof value === 'boolean') return true
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).every(([name, setting]) => {
    if (!Object.hasOwn(DEFLATE_DEFAULTS, name)) return false
    if (setting === undefined) return true
    const range = DEFLATE_RANGES.get(name)
    if (range === undefined) return typeof setting === 'boolean'
    return Number.isSafeInteger(setting) && setting >= range[0] && setting <= range[1]
  })
}
