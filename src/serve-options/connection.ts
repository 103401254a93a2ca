import { totalmem } from 'node:os'
import { isValidNetwork } from '../address.js'
import type { ConnectionOptions } from '../options.js'
import { DEFLATE_RULE } from './deflate.js'
import { choice, DAY_MS, integer, isPath, isStrings, MAX_INT32, type OptionRule, other } from './rule.js'

const MOST_MEMORY = 2 ** 46

/** Token of RFC 9110 5.6.2, which a subprotocol's name is (RFC 6455 4.1). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Defaults and ranges of what one connection may do. */
export const CONNECTION_RULES = {
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
  perMessageDeflate: DEFLATE_RULE,
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
  maxHttpRequests: integer(10_000, 0, MAX_INT32, 'plain HTTP requests over one connection; 0 for no limit'),
  idlePingMs: integer(30_000, 0, DAY_MS, 'milliseconds of silence after which a peer is pinged; 0 for never'),
  idleTimeoutMs: integer(
    60_000,
    0,
    DAY_MS,
    'milliseconds of silence after which a peer is dropped; 0 for never',
  ),
  closeTimeoutMs: integer(5000, 1, DAY_MS, 'milliseconds for the closing handshake'),
} satisfies Record<keyof ConnectionOptions, OptionRule>

/** A quarter of what the machine has, or of what the control group may take. */
function defaultMemory(): number {
  // 0, or more than anything, where there is no limit.
  const constrained = process.constrainedMemory()
  const total = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
  return Math.min(Math.max(Math.floor(total / 4), 2 ** 20), MOST_MEMORY)
}
