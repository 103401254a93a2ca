import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Codec } from '../../../src/codec/codec.js'
import * as events from '../../../src/codec/events.js'
import { EVENT_ERROR, EVENT_WHOLE, EVENT_WORDS } from '../../../src/codec/events.js'
import { frameError, StateError } from '../../../src/errors.js'
import { BUILDS } from '../../reference/builds.js'
import { frameBytes } from '../../reference/frames.js'

const KEY = [1, 2, 3, 4]

describe.each(BUILDS)('$name build', ({ module }) => {
  const exported = () => {
    const memory = new WebAssembly.Memory({ initial: 16 })
    return new WebAssembly.Instance(module, { env: { memory } }).exports as Record<string, { value?: number }>
  }

  it('speaks the numbers of events.ts', () => {
    const numbers = exported()
    let compared = 0
    for (const [name, value] of Object.entries(events)) {
      if (name === 'EVENT_WORDS') expect(value * 4).toBe(numbers.EVENT_SIZE?.value)
      else if (name === 'EVENT_OPCODE') expect(value).toBe(numbers.EVENT_ERROR?.value)
      else {
        expect(numbers[name]?.value, name).toBe(value)
        compared++
      }
    }
    expect(compared).toBeGreaterThan(10)
  })

  it('has an error in src/errors.ts for every number, and no two alike', () => {
    const codes = new Set<string>()
    const names = Object.keys(exported()).filter(name => name.startsWith('ERROR_') && name !== 'ERROR_NONE')
    for (const name of names) {
      const { code } = frameError(exported()[name]?.value ?? 0)
      expect(code.replace(/^ERR_(FRAME_|MESSAGE_TOO_)?/, '')).toBe(
        name.replace(/^ERROR_(MESSAGE_TOO_|TOO_)?/, ''),
      )
      codes.add(code)
    }
    expect(codes.size).toBe(names.length)
    expect(names.length).toBe(15)
  })

  it('has arenas that follow each other', () => {
    const number = (name: string) => exported()[name]?.value ?? Number.NaN
    expect(number('READ_OFFSET') + number('READ_CAPACITY')).toBe(number('WRITE_OFFSET'))
    expect(number('WRITE_OFFSET') + number('WRITE_CAPACITY')).toBe(number('EVENTS_OFFSET'))
    expect(number('EVENTS_OFFSET') + number('EVENTS_CAPACITY') * number('EVENT_SIZE')).toBe(
      number('TEXT_OFFSET'),
    )
    expect(number('TEXT_OFFSET') + number('TEXT_CAPACITY')).toBe(number('SLOTS_OFFSET'))
    expect(number('TEXT_CAPACITY')).toBeGreaterThanOrEqual(2 * number('READ_CAPACITY'))
  })

  it('serves as many connections as it was made for, and more when they are given back', () => {
    const codec = new Codec(module, 3)
    const acquire = () => codec.acquire('server', 100, 10)
    const slots = [acquire(), acquire(), acquire()]
    expect(new Set(slots)).toEqual(new Set([0, 1, 2]))
    expect(acquire()).toBe(-1)
    codec.release(1)
    expect(acquire()).toBe(1)
    expect(acquire()).toBe(-1)
  })

  it('throws at a slot that is not in use', () => {
    const codec = new Codec(module, 2)
    const slot = codec.acquire('server', 100, 10)
    codec.release(slot)
    for (const wrong of [slot, 1, 2, -1, 0.5, Number.NaN]) {
      expect(() => codec.release(wrong)).toThrow(StateError)
    }
  })

  it.each([0, -1, 1.5, 2 ** 20 + 1, Number.NaN])('throws at %d slots', slots => {
    expect(() => new Codec(module, slots)).toThrow(StateError)
  })

  it('has room for the last of its slots, and for nothing needless after it', () => {
    for (const slots of [1, 943, 944, 945, 2 ** 20]) {
      const codec = new Codec(module, slots)
      const end = events.SLOTS_OFFSET + slots * events.SLOT_SIZE
      expect(codec.memory.length).toBeGreaterThanOrEqual(end)
      expect(codec.memory.length - end).toBeLessThan(65_536)
    }
  })

  it('begins a new connection afresh, whatever the last one left in the slot', () => {
    const codec = new Codec(module, 1)
    const leftovers = [
      frameBytes({ opcode: 1, fin: false, payload: Uint8Array.of(0xe2), key: KEY }),
      frameBytes({ opcode: 2, length: 1000n, key: KEY }),
      frameBytes({ opcode: 8, payload: Uint8Array.of(3, 232, 0xe2, 0x82, 0xac), key: KEY }).subarray(0, 9),
      Uint8Array.of(0x81, 0xfe, 1),
      Uint8Array.of(0xff),
    ]
    for (const bytes of leftovers) {
      const slot = codec.acquire('server', 1000, 10)
      codec.memory.set(bytes, codec.readOffset)
      codec.decode(slot, bytes.length)
      codec.release(slot)

      const next = codec.acquire('client', 1000, 10)
      const hello = frameBytes({ opcode: 1, payload: Buffer.from('Hello') })
      codec.memory.set(hello, codec.readOffset)
      expect(codec.decode(next, hello.length)).toBe(1)
      expect(codec.events[0]).toBe(1 | EVENT_WHOLE | events.EVENT_ASCII)
      codec.release(next)
    }
  })

  it('finds nothing after a violation', () => {
    const codec = new Codec(module, 1)
    const slot = codec.acquire('server', 1000, 10)
    codec.memory.set([0xff], codec.readOffset)
    expect(codec.decode(slot, 1)).toBe(1)
    expect(codec.events[0] & 0xff).toBe(EVENT_ERROR)
    const hello = frameBytes({ opcode: 1, payload: Buffer.from('Hello'), key: KEY })
    codec.memory.set(hello, codec.readOffset)
    expect(codec.decode(slot, hello.length)).toBe(0)
    expect(codec.consumed()).toBe(hello.length)
  })

  it('stops when the event table is full and goes on where it stopped', () => {
    const codec = new Codec(module, 1)
    const slot = codec.acquire('client', 1000, 10)
    const frames = 32_768
    for (let i = 0; i < frames; i++) codec.memory.set([0x82, 0], codec.readOffset + 2 * i)
    let done = 0
    let found = 0
    while (done < 2 * frames) {
      const count = codec.decode(slot, 2 * frames - done, codec.readOffset + done)
      expect(count).toBe(Math.min(codec.eventsCapacity, frames - found))
      expect(codec.events[1]).toBe(codec.readOffset + done + 2)
      expect(codec.events.length).toBe(codec.eventsCapacity * EVENT_WORDS)
      found += count
      done += codec.consumed()
    }
    expect(found).toBe(frames)
  })

  it('writes nothing outside the read arena, the event table and its slot', () => {
    const codec = new Codec(module, 3)
    codec.acquire('server', 1e6, 10)
    const slot = codec.acquire('server', 1e6, 10)
    const { memory, readOffset, readArena } = codec
    const text = frameBytes({ opcode: 1, fin: false, payload: Buffer.from('é'.repeat(32_000)), key: KEY })
    memory.set(text, readOffset)
    const before = Buffer.from(memory)
    codec.decode(slot, text.length)
    const slotAt = events.SLOTS_OFFSET + slot * events.SLOT_SIZE
    const unchanged: [from: number, to: number][] = [
      [0, readOffset],
      [readOffset + text.length, readOffset + readArena.length],
      [codec.writeOffset, codec.writeOffset + codec.writeCapacity],
      [codec.events.byteOffset + 16, events.SLOTS_OFFSET],
      [events.SLOTS_OFFSET, slotAt],
      [slotAt + events.SLOT_SIZE, memory.length],
    ]
    for (const [from, to] of unchanged) {
      // The global state below the arenas belongs to the compiler.
      expect(before.subarray(from, to).compare(memory.subarray(from, to))).toBe(0)
    }
  })
})

it('knows where its wasm is and how to get it', async () => {
  const { compileCodec } = await import('../../../src/codec/module.js')
  expect(compileCodec()).toBe(compileCodec())
  expect(readFileSync(new URL('../../../dist/codec/codec.wasm', import.meta.url)).length).toBeGreaterThan(0)
})
