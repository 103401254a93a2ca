// Compressed conversations as clients have them, and as they are when something went wrong on the way or in the client.
import { constants, deflateRawSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { frameError } from '../../src/errors.js'
import type { DeflateAgreement } from '../../src/handshake/deflate.js'
import { expectedOf } from '../reference/deflate-peer.js'
import {
  AGREEMENT,
  deflateMessage,
  deflateOptions,
  parseCompressedFrames,
} from '../support/compressed-frames.js'
import { frame } from '../support/frames.js'
import { MemoryShard } from '../support/memory-shard.js'
import { Random } from '../support/random.js'

const CONVERSATIONS = 20_000
const PER_TEST = 4000
/** Bytes that reading a conversation may take, the shards' zlib and what is delivered included. */
const MOST_MEMORY = 2 * 2 ** 20

const random = new Random()

/** A frame before it is bytes. */
interface Part {
  opcode: number
  fin: boolean
  rsv: number
  payload: Buffer
}

const chance = (percent: number): boolean => random.integer(0, 100) < percent

const WORDS = ['{"name":"', 'Ada', '","at":', '1815', '}, ', 'añ€😀', ' and so on', '\0\0\0\0\0\0\0\0']

function content(isText: boolean): Buffer {
  switch (random.integer(0, 8)) {
    case 0:
      return Buffer.alloc(0)
    case 1:
      return Buffer.from('x'.repeat(random.integer(1, 3000)))
    case 2:
      return isText ? Buffer.from(random.bytes(random.integer(1, 200)).toString('hex')) : random.bytes(300)
    default:
      return Buffer.from(Array.from({ length: random.integer(1, 60) }, () => random.pick(WORDS)).join(''))
  }
}

/** 5 MB of zeros, in 5 KB. */
const BOMB = deflateMessage(Buffer.alloc(5_000_000), { level: 9 })

/** A client that keeps to what was agreed on. */
class Client {
  #history = Buffer.alloc(0)
  readonly #agreement: DeflateAgreement

  constructor(agreement: DeflateAgreement) {
    this.#agreement = agreement
  }

  /** The frames of a message, with or without Pings between them. */
  say(): Part[] {
    const isText = chance(60)
    const data = content(isText)
    const isCompressed = chance(85)
    let payload = data
    if (isCompressed) payload = chance(2) ? BOMB : this.#compress(data)
    const parts: Part[] = []
    let at = 0
    do {
      const end = chance(60) ? payload.length : random.integer(at, payload.length + 1)
      const isFirst = parts.length === 0
      const opcode = isFirst ? (isText ? 1 : 2) : 0
      parts.push({
        opcode,
        fin: true,
        rsv: isFirst && isCompressed ? 4 : 0,
        payload: payload.subarray(at, end),
      })
      at = end
    } while (at < payload.length)
    for (const part of parts.slice(0, -1)) part.fin = false
    const between = (part: Part): Part[] =>
      chance(10)
        ? [part, { opcode: 9, fin: true, rsv: 0, payload: random.bytes(random.integer(0, 6)) }]
        : [part]
    return parts.flatMap(between)
  }

  #compress(data: Buffer): Buffer {
    const { clientNoContextTakeover, clientMaxWindowBits: windowBits } = this.#agreement
    const level = random.pick([0, 1, 6, 6, 9])
    const strategy = random.pick([constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY])
    const options = { level, strategy, windowBits, memLevel: random.integer(1, 10) }
    const pieces = chance(15) ? [data.subarray(0, data.length >> 1), data.subarray(data.length >> 1)] : [data]
    let known = clientNoContextTakeover ? Buffer.alloc(0) : this.#history
    const compressed = pieces.map((piece, index) => {
      const dictionary = known.subarray(-(2 ** windowBits))
      const all = { ...options, ...(dictionary.length > 0 && { dictionary }) }
      known = Buffer.concat([known, piece])
      const isLast = index === pieces.length - 1
      if (chance(15))
        return Buffer.concat([deflateRawSync(piece, all), Buffer.alloc(isLast && chance(50) ? 1 : 0)])
      const flushed = deflateMessage(piece, all)
      return isLast ? flushed : Buffer.concat([flushed, Buffer.of(0, 0, 0xff, 0xff)])
    })
    this.#history = known.subarray(-32_768)
    return Buffer.concat(compressed)
  }
}

/** Mostly one thing goes wrong, in the frames. */
function spoil(parts: Part[]): void {
  const at = random.integer(0, parts.length)
  const part = parts[at]
  const { payload } = part
  switch (random.integer(0, 10)) {
    case 0:
      part.rsv ^= 4
      break
    case 1:
      part.rsv ^= random.integer(1, 8)
      break
    case 2:
      part.payload = payload.subarray(0, random.integer(0, payload.length + 1))
      break
    case 3:
      part.payload = Buffer.concat([payload, random.bytes(random.integer(1, 5))])
      break
    case 4:
      parts.splice(at, 1)
      break
    case 5:
      parts.splice(random.integer(0, parts.length), 0, part)
      break
    case 6: {
      const other = random.integer(0, parts.length)
      parts[at] = parts[other]
      parts[other] = part
      break
    }
    case 7:
      part.opcode = random.pick([0, 1, 2, 3, 8, 9, 10])
      break
    default: {
      const copy = Buffer.from(payload)
      for (let flips = random.integer(1, 4); flips > 0 && copy.length > 0; flips--) {
        copy[random.integer(0, copy.length)] ^= 1 << random.integer(0, 8)
      }
      part.payload = copy
    }
  }
}

/** Something goes wrong in the bytes. */
function spoilBytes(bytes: Buffer): Buffer {
  const at = random.integer(0, bytes.length)
  switch (random.integer(0, 4)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      bytes[at] ^= 1 << random.integer(0, 8)
      return bytes
    case 2:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(random.integer(1, 4)), bytes.subarray(at)])
    default:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.integer(1, 20))])
  }
}

function conversation(agreement: DeflateAgreement): Buffer {
  const client = new Client(agreement)
  const parts = Array.from({ length: random.integer(1, 6) }, () => client.say()).flat()
  const kind = random.integer(0, 10)
  if (kind < 6) for (let times = chance(70) ? 1 : 3; times > 0 && parts.length > 0; times--) spoil(parts)
  const bytes = Buffer.concat(
    parts.map(({ opcode, payload, fin, rsv }) => frame(opcode, payload, { fin, rsv, mask: random.bytes(4) })),
  )
  return kind >= 6 && kind < 8 && bytes.length > 0 ? spoilBytes(bytes) : bytes
}

/** A shard for each limit of messages; connections come and go. */
const LIMITS = [2000, 100_000]
const delivered: string[] = []
const shards = LIMITS.map(
  maxPayload =>
    new MemoryShard(
      {
        message: (_socket, data) => {
          const bytes = Buffer.from(data as string)
          delivered.push(`${typeof data === 'string' ? 'text' : 'binary'} ${bytes.toString('latin1')}`)
        },
      },
      { perMessageDeflate: deflateOptions({ threshold: 0, maxContexts: 4 }), maxPayload },
    ),
)

/** What the server makes of a client's bytes. */
function received(shard: MemoryShard, bytes: Buffer, agreement: DeflateAgreement) {
  delivered.length = 0
  shard.log.length = 0
  const turns = shard.environment.compression?.inflateTurns
  const { connection, transport } = shard.connect(undefined, agreement)
  // Others have a lot inflated at the same time.
  if (chance(20)) turns?.spend(2 ** 20)
  const memory = process.memoryUsage().arrayBuffers
  const sizes = chance(30) ? [bytes.length] : Array.from({ length: 8 }, () => random.integer(1, 200))
  transport.feed(bytes, ...sizes)
  for (let turn = 0; turn < 10_000 && transport.isPaused; turn++) {
    turns?.next()
    transport.pump()
  }
  const taken = process.memoryUsage().arrayBuffers - memory
  shard.environment.turn.flush()
  const frames = parseCompressedFrames(transport.takeSent())
  const closes = frames.filter(({ opcode }) => opcode === 8)
  const [close] = closes
  const outcome = {
    messages: [...delivered],
    pings: frames.filter(({ opcode }) => opcode === 10).map(({ payload }) => payload.toString('latin1')),
    code: close && (close.payload.length < 2 ? 1005 : close.payload.readUInt16BE(0)),
    closes: closes.length,
    faults: shard.log.filter(line => !line.startsWith('debug')),
    taken,
  }
  connection.terminate()
  transport.pump()
  turns?.next()
  return outcome
}

describe(`compressed conversations, valid and spoilt (SHARDWS_SEED=${random.seed})`, () => {
  const seen = new Map<number | undefined, number>()
  let messages = 0
  let mostTaken = 0

  it.each(Array.from({ length: CONVERSATIONS / PER_TEST }, (_, index) => index + 1))(
    `are delivered as node:zlib reads them, or end with the right code, part %i of ${CONVERSATIONS / PER_TEST}`,
    () => {
      for (let i = 0; i < PER_TEST; i++) {
        const agreement = {
          ...AGREEMENT,
          clientNoContextTakeover: chance(40),
          clientMaxWindowBits: random.integer(8, 16),
        }
        const limit = random.integer(0, LIMITS.length)
        const bytes = conversation(agreement)
        const expected = expectedOf(bytes, agreement, LIMITS[limit])
        const codes = expected.codes.map(code =>
          code !== undefined && code < 0 ? frameError(-code).closeCode : code,
        )
        const { code, closes, faults, taken, ...rest } = received(shards[limit], bytes, agreement)
        const told = `${JSON.stringify(agreement)} maxPayload ${LIMITS[limit]}: ${bytes.toString('hex', 0, 3000)}`
        if (JSON.stringify(rest) !== JSON.stringify({ messages: expected.messages, pings: expected.pings })) {
          expect(rest, told).toEqual({ messages: expected.messages, pings: expected.pings })
        }
        if (!codes.includes(code)) expect(codes, told).toContain(code)
        if (closes > 1 || faults.length > 0) expect([closes, faults], told).toEqual([1, []])
        seen.set(code, (seen.get(code) ?? 0) + 1)
        messages += rest.messages.length
        mostTaken = Math.max(mostTaken, taken)
      }
    },
    60_000,
  )

  afterAll(() => {
    for (const { environment } of shards) environment.compression?.close()
  })

  it('were of all kinds, and left nothing behind', () => {
    for (const code of [undefined, 1002, 1007, 1009]) {
      expect(seen.get(code), String(code)).toBeGreaterThan(CONVERSATIONS / 100)
    }
    expect(messages).toBeGreaterThan(CONVERSATIONS)
    for (const { environment } of shards) {
      expect(environment.connections.size).toBe(0)
      expect(environment.compression?.inflaters.size).toBeLessThanOrEqual(8)
    }
    expect(mostTaken).toBeGreaterThan(Math.min(...LIMITS))
    expect(mostTaken).toBeLessThan(MOST_MEMORY)
  })
})
