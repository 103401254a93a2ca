import { createHash } from 'node:crypto'
import type { DeflateAgreement } from '../../src/handshake/deflate.js'
import type { ConnectionOptions } from '../../src/options.js'
import { AGREEMENT, deflateOptions, parseCompressedFrames } from './compressed-frames.js'
import { MemoryShard } from './memory-shard.js'

export interface Settings {
  agreement?: Partial<DeflateAgreement>
  views?: boolean
  options?: Partial<ConnectionOptions>
  deflate?: Parameters<typeof deflateOptions>[0]
}

/** A connection that compresses, and the messages that came on it. */
export function open({ agreement, views = false, options, deflate = { threshold: 0 } }: Settings = {}) {
  const messages: (string | Buffer)[] = []
  const shard = new MemoryShard(
    {
      views,
      message: (_socket, data) => {
        messages.push(views ? Buffer.from(data) : data)
      },
    },
    { perMessageDeflate: deflateOptions(deflate), ...options },
  )
  const { connection, transport } = shard.connect(undefined, { ...AGREEMENT, ...agreement })
  return { shard, connection, transport, messages }
}

/** Long messages by their digest: to compare them byte by byte takes `expect` seconds. */
export function brief<Data>(data: Data): Data | string {
  if (typeof data !== 'string' && !Buffer.isBuffer(data)) return data
  if (data.length < 1000) return data
  return `${typeof data} of ${data.length}: ${createHash('sha1').update(data).digest('hex')}`
}

/** What the messages of a peer lead to: themselves, then the close code, if that is how it ends. */
export function outcome(bytes: Uint8Array, settings: Settings = {}, ...sizes: number[]): unknown[] {
  const { transport, messages, shard } = open(settings)
  transport.feed(bytes, ...sizes)
  shard.environment.turn.flush()
  const last = parseCompressedFrames(transport.sent).at(-1)
  const told = messages.map(brief)
  return last?.opcode === 8 ? [...told, last.payload.readUInt16BE(0)] : told
}
