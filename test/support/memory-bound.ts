import type { ServeOptions } from '../../src/index.js'
import { OPTIONS, type OptionName } from '../../src/serve-options.js'

/*
 * What a server may grow to, from its options: the formula of docs/security.md, with its numbers, which
 * test/unit/documents.test.ts compares.
 */

const KIB = 1024
const MIB = 1024 * KIB

/** What a shard may not have collected yet: its young generation, and buffers of which V8 begins to look at 64 MiB. */
export const SLACK_PER_SHARD = 112 * MIB
/** A connection's objects, its handle, what zlib remembers of it left out. */
export const OBJECTS_PER_CONNECTION = 16 * KIB
/** Of TLS: OpenSSL's and Node's state and buffers. */
export const TLS_PER_CONNECTION = 160 * KIB
/** Of plain HTTP: objects and buffers of `node:http`, for as many requests as may wait for their answers. */
export const HTTP_PER_CONNECTION = 256 * KIB
/** A read that is held back: 256 KiB, and what is decoded of it already. */
export const HELD_READ = 320 * KIB
/** zlib's memory of a shard where `perMessageDeflate` is on: 128 compressors, 64 inflaters. */
export const ZLIB_PER_SHARD = 35 * MIB
/** What the messages of a client that compresses may refer to. */
export const WINDOW_PER_CONNECTION = 32 * KIB

/** What a stranger's connection may pin. */
export type Pinned = 'head' | 'message' | 'output' | 'held'

/** Bytes by which a server's process may grow, for `connections` strangers that pin what is named. */
export function memoryBound(options: ServeOptions, connections: number, ...pinned: Pinned[]): number {
  const value = (name: OptionName): number => Number(options[name] ?? OPTIONS[name].default)
  const most: Record<Pinned, number> = {
    head: 2 * value('maxHeaderBytes'),
    message: value('maxPayload'),
    output: Math.max(value('maxBackpressure'), value('highWaterMark') + value('maxPayload')),
    held: HELD_READ,
  }
  const deflates = options.perMessageDeflate !== undefined && options.perMessageDeflate !== false
  const each =
    OBJECTS_PER_CONNECTION +
    (options.tls === undefined ? 0 : TLS_PER_CONNECTION) +
    (deflates ? WINDOW_PER_CONNECTION : 0) +
    pinned.reduce((sum, name) => sum + most[name], 0)
  const perShard = SLACK_PER_SHARD + (deflates ? ZLIB_PER_SHARD : 0)
  return (options.workers ?? 2) * perShard + connections * each
}
