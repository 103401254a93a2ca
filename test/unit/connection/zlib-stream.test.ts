// What node:zlib has inside, on every version of Node that this runs on, and what is made of it.
import { constants, DeflateRaw, deflateRawSync, InflateRaw, inflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  createDeflater,
  createInflater,
  STOP_AT_BLOCK,
  SYNC_FLUSH,
  ZlibStream,
} from '../../../src/connection/zlib-stream.js'
import { deflateMessage } from '../../support/compressed-frames.js'
import { Random } from '../../support/random.js'

/** What a flush ends with (RFC 7692 7.2.1). */
const TAIL = Buffer.of(0, 0, 0xff, 0xff)

const scratch = Buffer.alloc(100_000)

/** All that `stream` makes of `input`, given at once. */
function write(stream: ZlibStream, input: Uint8Array): Buffer {
  stream.write(SYNC_FLUSH, input, 0, input.length, scratch, 0, scratch.length)
  return Buffer.from(scratch.subarray(0, scratch.length - stream.room))
}

describe('node:zlib', () => {
  it.each([new DeflateRaw(), new InflateRaw()])('has the handle that is written to at once (%#)', stream => {
    expect(stream).toMatchObject({
      _handle: { writeSync: expect.any(Function) as unknown, reset: expect.any(Function) as unknown },
      _writeState: expect.any(Uint32Array) as unknown,
    })
    stream.close()
  })

  it.each([
    ['no handle', { _handle: undefined }],
    ['no state', { _writeState: undefined }],
    ['a handle of another kind', { _handle: {} }],
  ])('with %s is refused, with words on what to do', (_, inside) => {
    const stream = new InflateRaw()
    const other = Object.defineProperties(
      Object.create(stream) as InflateRaw,
      Object.fromEntries(Object.entries(inside).map(([name, value]) => [name, { value }])),
    )
    expect(() => new ZlibStream(other, 15, 0)).toThrow(/another node:zlib: turn perMessageDeflate off/)
    stream.close()
  })
})

describe('an inflating stream', () => {
  it('says what room it left, and what of the input', () => {
    const stream = createInflater(15)
    const message = deflateMessage('hello')
    const input = Buffer.concat([Buffer.from('xx'), message, Buffer.from('yyy')])
    const room = Buffer.alloc(20, '.')
    stream.write(SYNC_FLUSH, input, 2, message.length, room, 3, 10)
    expect([room.toString(), stream.room, stream.rest]).toEqual(['...hello............', 5, 0])
    stream.close()
  })

  it('stops where there is no room any more, and goes on where it stopped', () => {
    const stream = createInflater(15)
    const bytes = new Random(7).bytes(1000)
    const message = deflateMessage(Buffer.concat([bytes, bytes]))
    const output = Buffer.alloc(2000)
    let at = 0
    let rest = message.length
    let calls = 0
    do {
      stream.write(SYNC_FLUSH, message, message.length - rest, rest, output, at, Math.min(300, 2000 - at))
      at += Math.min(300, 2000 - at) - stream.room
      rest = stream.rest
      calls++
    } while (at < 2000)
    expect([calls, rest]).toEqual([7, 0])
    expect(output.equals(Buffer.concat([bytes, bytes]))).toBe(true)
    stream.close()
  })

  it('remembers what came before, until it is reset', () => {
    const stream = createInflater(15)
    const history = Buffer.from('what was said before, and is referred to')
    const second = deflateMessage(history, { dictionary: history })
    expect(second.length).toBeLessThan(12)
    expect(write(stream, Buffer.concat([deflateMessage(history), TAIL])).equals(history)).toBe(true)
    expect(write(stream, second).equals(history)).toBe(true)
    expect(stream.failed).toBe(false)
    stream.reset()
    write(stream, second)
    expect(stream.failed).toBe(true)
    stream.close()
  })

  it('fails at data that are not valid, by a flag; and works again once it is reset', () => {
    const stream = createInflater(15)
    write(stream, Buffer.of(0x07))
    expect(stream.failed).toBe(true)
    stream.reset()
    expect(stream.failed).toBe(false)
    expect(write(stream, deflateMessage('again')).toString()).toBe('again')
    expect(stream.failed).toBe(false)
    stream.close()
  })

  it('takes nothing after a final block', () => {
    const stream = createInflater(15)
    const final = deflateRawSync('the end')
    expect(write(stream, Buffer.concat([final, TAIL])).toString()).toBe('the end')
    expect([stream.rest, stream.failed]).toEqual([TAIL.length, false])
    write(stream, TAIL)
    expect([stream.rest, stream.failed]).toEqual([TAIL.length, false])
    stream.close()
  })

  it('stops where a block ends, if it is asked to', () => {
    const stream = createInflater(15)
    write(stream, deflateMessage('a block'))
    const [tail, output] = [Buffer.concat([TAIL, Buffer.of(0)]), Buffer.alloc(1)]
    // Of the block that begins after the tail nothing is taken.
    stream.write(STOP_AT_BLOCK, tail, 0, tail.length, output, 0, 1)
    expect([stream.failed, stream.rest, stream.room]).toEqual([false, 1, 1])
    stream.close()
  })

  it.each([8, 9, 12, 15])('of a window of %i bits knows no more than that', bits => {
    const size = 2 ** bits
    const bytes = new Random(bits).bytes(size + 300)
    // Refers to the first bytes over more than the window (unless that is as large as windows get).
    const far = deflateMessage(Buffer.concat([bytes, bytes.subarray(0, 50)]), { windowBits: 15 })
    const stream = createInflater(bits)
    const output = Buffer.alloc(bytes.length + 50)
    // zlib writes past its window within one call, which is not to be mistaken for a longer one.
    for (let at = 0; at < far.length; at++) stream.write(SYNC_FLUSH, far, at, 1, output, 0, output.length)
    expect(stream.failed).toBe(bits < 15)
    const near = createInflater(bits)
    const within = bytes.subarray(0, size - 262)
    const message = deflateMessage(within, { windowBits: Math.max(9, bits), dictionary: within })
    write(near, Buffer.concat([deflateMessage(within), TAIL]))
    expect(write(near, message).equals(within)).toBe(true)
    for (const each of [stream, near]) each.close()
  })
})

describe('a deflating stream', () => {
  it('makes what node:zlib inflates, each message of the history of those before', () => {
    const stream = createDeflater(15, 6, 8)
    const text = 'the same words again and again '.repeat(3)
    const messages = [write(stream, Buffer.from(text)), write(stream, Buffer.from(text))]
    expect(messages.map(message => message.subarray(-4).equals(TAIL))).toEqual([true, true])
    expect(messages[1].length).toBeLessThan(messages[0].length / 2)
    const all = inflateRawSync(Buffer.concat(messages), { finishFlush: constants.Z_SYNC_FLUSH })
    expect(all.toString()).toBe(text + text)
    stream.reset()
    expect(write(stream, Buffer.from(text)).equals(messages[0])).toBe(true)
    stream.close()
  })

  it.each([
    [8, 1, 1],
    [9, 6, 4],
    [12, 9, 9],
    [15, 0, 8],
  ])('of %i bits, level %i, memory level %i keeps to its window', (bits, level, memLevel) => {
    const random = new Random(bits)
    const stream = createDeflater(bits, level, memLevel)
    const inflater = createInflater(bits)
    for (let i = 0; i < 20; i++) {
      const piece = random.bytes(random.integer(1, 400))
      const data = Buffer.concat([piece, piece, Buffer.alloc(random.integer(0, 600), i), piece])
      // A byte at a time, so that the window is all that is known.
      const message = write(stream, data)
      const output = Buffer.alloc(data.length + 1)
      let at = 0
      for (const byte of message) {
        inflater.write(SYNC_FLUSH, Buffer.of(byte), 0, 1, output, at, output.length - at)
        at = output.length - inflater.room
      }
      expect([inflater.failed, at]).toEqual([false, data.length])
      expect(output.subarray(0, at).equals(data)).toBe(true)
    }
    for (const each of [stream, inflater]) each.close()
  })
})

describe('memory', () => {
  it('is what zconf.h says', () => {
    const streams = [createInflater(15), createInflater(8), createDeflater(15, 6, 8), createDeflater(9, 6, 1)]
    expect(streams.map(({ memory }) => memory)).toEqual([7168 + 32_768, 7168 + 256, 256 * 1024, 2048 + 1024])
    expect(streams.map(({ windowBits }) => windowBits)).toEqual([15, 8, 15, 9])
    for (const stream of streams) stream.close()
  })

  it('is given back when a stream is closed, however long somebody knows it', async () => {
    // As many bytes as have zlib use all that it has taken.
    const bytes = new Random(1).bytes(70_000)
    const known: ZlibStream[] = []
    const cycle = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const stream = createDeflater(15, 6, 8)
        known.push(stream)
        write(stream, bytes)
        stream.close()
        await new Promise(setImmediate)
      }
    }
    await cycle(20)
    const before = process.memoryUsage.rss()
    await cycle(300)
    // 75 MiB, if they were kept.
    expect(process.memoryUsage.rss() - before).toBeLessThan(40 * 2 ** 20)
    expect(known).toHaveLength(320)
  })
})
