import { expect, it } from 'vitest'
import { PayloadBuffer } from '../../../src/codec/payload-buffer.js'

const LIMIT = 536_870_888

it('takes memory for what has come, not for what is announced', () => {
  const buffer = new PayloadBuffer()
  let came = 0
  for (let i = 0; i < 10_000; i++) {
    buffer.append(new Uint8Array(7), LIMIT - came, true)
    came += 7
    expect(buffer.capacity).toBeLessThanOrEqual(Math.max(512, 2 * came))
  }
})

it('does not outgrow a length that is known', () => {
  const buffer = new PayloadBuffer()
  buffer.append(new Uint8Array(600), 400, true)
  buffer.append(new Uint8Array(300), 100, true)
  buffer.append(new Uint8Array(100), 0, true)
  expect(buffer.capacity).toBe(1000)
  expect(buffer.take().buffer.byteLength).toBe(1000)
})

it('gives what was appended, in memory of that size', () => {
  const buffer = new PayloadBuffer()
  const all = Uint8Array.from({ length: 2000 }, (_, i) => i & 0xff)
  for (let at = 0; at < all.length; at += 13) buffer.append(all.subarray(at, at + 13), 5, false)
  const taken = buffer.take()
  expect(taken).toEqual(all)
  expect(taken.buffer.byteLength).toBe(2000)
})
