import { Codec } from '../../src/codec/codec.js'
import { compileCodec } from '../../src/codec/module.js'
import { Payloads } from '../../src/protocol/payloads.js'
import { Protocol } from '../../src/protocol/protocol.js'
import { RecordingOwner } from './recording-owner.js'

export interface SessionOptions {
  maxPayload?: number
  maxFragments?: number
  views?: boolean
}

/** One codec for all sessions of a test file: they take turns, as the connections of a shard do. */
const codec = new Codec(compileCodec(), 4)
const payloads = new Payloads(codec.memory)

/** A protocol, the real codec under it, and an owner that writes down. */
export class ProtocolSession {
  readonly owner = new RecordingOwner()
  readonly protocol: Protocol
  readonly #slot: number

  constructor(options: SessionOptions = {}) {
    const { maxPayload = 2 ** 20, maxFragments = 2 ** 20, views = false } = options
    const budget = { resize: () => true }
    this.#slot = codec.acquire('server', maxPayload, maxFragments)
    this.protocol = new Protocol(this.owner, codec, this.#slot, payloads, maxPayload, views, budget)
  }

  get messages(): (string | Buffer)[] {
    return this.owner.messages
  }

  get lines(): string[] {
    return this.owner.lines
  }

  /** Feeds `bytes` in reads of the given sizes, the last one again and again; what was read is overwritten after. */
  receive(bytes: Uint8Array, ...sizes: number[]): this {
    let at = 0
    for (let i = 0; at < bytes.length; i++) {
      const wanted = sizes[Math.min(i, sizes.length - 1)] ?? bytes.length
      const size = Math.min(wanted, bytes.length - at, codec.readArena.length)
      codec.readArena.set(bytes.subarray(at, at + size))
      this.protocol.receive(codec.readOffset, size)
      codec.readArena.fill(0xee)
      at += size
      this.#goOn()
    }
    return this
  }

  /** What does not go in one go, as a connection would. */
  #goOn(): void {
    while (this.owner.hasMore) {
      this.owner.hasMore = false
      this.protocol.resume()
    }
  }

  end(): void {
    this.protocol.transportClosed()
    codec.release(this.#slot)
  }
}

/** What a session tells of `bytes`, in the given reads. */
export function linesOf(
  bytes: Uint8Array,
  sizes: readonly number[] = [],
  options?: SessionOptions,
): string[] {
  const session = new ProtocolSession(options).receive(bytes, ...sizes)
  session.end()
  return session.lines
}
