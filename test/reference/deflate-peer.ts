import { isUtf8 } from 'node:buffer'
import { constants, inflateRawSync } from 'node:zlib'
import type { DeflateAgreement } from '../../src/handshake/deflate.js'
import { ReferenceDecoder } from './decoder.js'

/** Blocks that end a stream and are followed by something, in one message; ours to choose. */
const MOST_FINAL_BLOCKS = 32

/** 00 00 FF FF, which the sender has cut off (RFC 7692 7.2.1). */
const TAIL = Buffer.of(0x00, 0x00, 0xff, 0xff)
/** An empty stored block that ends the stream: zlib takes it only where a block may begin. */
const LAST_BLOCK = Buffer.of(0x01, 0x00, 0x00, 0xff, 0xff)
const CHUNK = 64 * 1024

/** What a server has to make of a client's bytes. */
export interface Expected {
  /** `text` or `binary`, and the bytes in latin1. */
  messages: string[]
  /** Payloads of the Pings to be answered. */
  pings: string[]
  /** How it ends: a close code, undefined where it does not; where there are two, either. */
  codes: readonly (number | undefined)[]
}

/** What the engine did with its input: not in Node's types. */
interface Inflation {
  buffer: Buffer
  engine: { bytesWritten: number }
}

function inflateWith(input: Buffer, history: Buffer, windowBits: number, finishFlush: number): Inflation {
  const dictionary = history.subarray(-(2 ** windowBits))
  const options = { windowBits, chunkSize: CHUNK, finishFlush, info: true }
  return inflateRawSync(
    input,
    dictionary.length > 0 ? { ...options, dictionary } : options,
  ) as unknown as Inflation
}

/**
 * Inflates a message with what node:zlib offers everybody, and no stream goes on where another one ended: what came
 * before is a dictionary.
 *
 * @returns undefined for what is not valid, or not complete
 */
function inflateStrictly(message: Buffer, history: Buffer, windowBits: number): Buffer | undefined {
  const parts: Buffer[] = []
  let known = history
  let rest = message
  try {
    for (let finals = 0; finals <= MOST_FINAL_BLOCKS; finals++) {
      const whole = Buffer.concat([rest, TAIL, LAST_BLOCK])
      const { buffer, engine } = inflateWith(whole, known, windowBits, constants.Z_SYNC_FLUSH)
      parts.push(buffer)
      if (engine.bytesWritten > rest.length) {
        // To the end of what was added, which must have given nothing; or it is the tail that ends a final block.
        if (engine.bytesWritten < whole.length && engine.bytesWritten !== rest.length + TAIL.length)
          return undefined
        inflateWith(whole, known, windowBits, constants.Z_FINISH)
        const alone = inflateWith(rest, known, windowBits, constants.Z_SYNC_FLUSH)
        return alone.buffer.length === buffer.length ? Buffer.concat(parts) : undefined
      }
      if (engine.bytesWritten === rest.length) return Buffer.concat(parts)
      rest = rest.subarray(engine.bytesWritten)
      known = Buffer.concat([known, buffer])
    }
  } catch {
    // zlib says what is wrong; that something is will do.
  }
  return undefined
}

/** Reads a client's bytes, from the first after the opening handshake, by RFC 6455 and RFC 7692. */
export function expectedOf(bytes: Uint8Array, agreement: DeflateAgreement, maxPayload: number): Expected {
  const limits = { role: 'server', maxPayload, maxFragments: 1_048_576, deflate: true } as const
  const decoder = new ReferenceDecoder(limits)
  for (const byte of bytes) decoder.push(byte)
  const messages: string[] = []
  const pings: string[] = []
  let history: Buffer = Buffer.alloc(0)
  let parts = ''
  for (const { opcode, fin, start, compressed, payload } of decoder.frames) {
    if (opcode === 8) {
      const code = payload === '' ? 1005 : payload.charCodeAt(0) * 256 + payload.charCodeAt(1)
      return { messages, pings, codes: [code] }
    }
    if (opcode === 9) pings.push(payload)
    if (opcode > 8) continue
    parts = start ? payload : parts + payload
    if (!fin) continue
    let message = parts
    if (compressed && parts !== '') {
      const inflated = inflateStrictly(Buffer.from(parts, 'latin1'), history, agreement.clientMaxWindowBits)
      // What is both is told by whichever is found first.
      if (inflated === undefined) return { messages, pings, codes: [1007, 1009] }
      if (inflated.length > maxPayload) return { messages, pings, codes: [1009] }
      if (opcode === 1 && !isUtf8(inflated)) return { messages, pings, codes: [1007] }
      if (!agreement.clientNoContextTakeover) history = Buffer.concat([history, inflated]).subarray(-32_768)
      message = inflated.toString('latin1')
    } else if (compressed) message = ''
    messages.push(`${opcode === 1 ? 'text' : 'binary'} ${message}`)
  }
  return { messages, pings, codes: [decoder.violation && -decoder.violation.error] }
}
