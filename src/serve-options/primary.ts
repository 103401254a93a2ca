import { availableParallelism } from 'node:os'
import type { ResourceLimits } from 'node:worker_threads'
import type { Logger } from '../log.js'
import type { Balance, LogLevel } from '../options.js'
import type { TlsOptions } from '../tls-options.js'
import {
  choice,
  DAY_MS,
  integer,
  isNonEmptyString,
  isPath,
  MAX_INT32,
  type OptionRule,
  other,
} from './rule.js'

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
   * Connections at a time from one client: one IPv4 address, or one /64 network of IPv6. 0 to 10,000,000, default
   * 10,000; 0: no limit. The default is not for loopback addresses and Unix domain sockets; what you set is.
   */
  maxConnectionsPerIp: number
  /**
   * Opening handshakes in progress at a time, from accepting the connection to the response, that of TLS included; what
   * comes beyond is closed at once. 1 to 10,000,000, default 50,000.
   */
  maxHandshakes: number
  /**
   * Connections a second from one client, as for `maxConnectionsPerIp`, ten seconds' worth at once; what comes beyond is
   * closed at once. 0 to 1,000,000, default 1000, with the same exception; 0: no limit.
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

/** What a path of a Unix domain socket may have: `sun_path` of unix(7) with its end; macOS has four less. */
const MOST_UNIX_BYTES = process.platform === 'linux' ? 107 : 103

/** MiB. With less, V8 cannot even start the thread and aborts the whole process (seen on Node 22, 24 and 26). */
const RESOURCE_MINIMA = new Map([
  ['maxOldGenerationSizeMb', 16],
  ['maxYoungGenerationSizeMb', 1],
  ['codeRangeSizeMb', 1],
  ['stackSizeMb', 1],
])

/** Their defaults and ranges. */
export const PRIMARY_RULES = {
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
  maxConnectionsPerIp: integer(
    10_000,
    0,
    10_000_000,
    'connections at a time from one client; 0 for no limit',
  ),
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
} satisfies Record<keyof PrimaryOptions, OptionRule>

function isLogger(value: unknown): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return ['debug', 'info', 'warn', 'error'].every(
    level => typeof (value as Record<string, unknown>)[level] === 'function',
  )
}

function isResourceLimits(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).every(([name, limit]) => {
    const least = RESOURCE_MINIMA.get(name)
    return least !== undefined && Number.isFinite(limit) && limit >= least
  })
}
