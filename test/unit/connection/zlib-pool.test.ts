import { describe, expect, it } from 'vitest'
import { ZlibPool } from '../../../src/connection/zlib-pool.js'
import { createInflater, type ZlibStream } from '../../../src/connection/zlib-stream.js'
import { Random } from '../../support/random.js'

/** A pool whose streams are counted. */
function poolOf(most: number) {
  const seen = { made: 0, open: 0, mostOpen: 0, memory: 0 }
  const memory = {
    add(bytes: number) {
      seen.memory += bytes
    },
  }
  const pool = new ZlibPool(most, memory, windowBits => {
    const stream = createInflater(windowBits)
    const close = stream.close.bind(stream)
    seen.made++
    seen.open++
    seen.mostOpen = Math.max(seen.mostOpen, seen.open)
    stream.close = () => {
      seen.open--
      close()
    }
    return stream
  })
  return { pool, seen }
}

const owners = (count: number): object[] => Array.from({ length: count }, () => ({}))

describe('a pool', () => {
  it('takes the stream of whoever has not used his for longest', () => {
    const { pool, seen } = poolOf(2)
    const [first, second, third] = owners(3)
    const streams = [pool.assign(first, 15), pool.assign(second, 15)]
    expect(pool.find(first)).toBe(streams[0])
    expect(pool.assign(third, 15)).toBe(streams[1])
    expect([pool.find(first), pool.find(second)]).toEqual([streams[0], undefined])
    expect(seen).toEqual({ made: 2, open: 2, mostOpen: 2, memory: 2 * streams[0].memory })
  })

  it('makes no streams for connections that come after others have gone', () => {
    const { pool, seen } = poolOf(50)
    for (let round = 0; round < 20; round++) {
      const some = owners(50)
      for (const owner of some) pool.assign(owner, 15)
      for (const owner of some) pool.release(owner)
    }
    expect(seen).toEqual({ made: 50, open: 50, mostOpen: 50, memory: 0 })
  })

  it('has no more streams than it may, spare ones of other windows included', () => {
    const { pool, seen } = poolOf(4)
    const random = new Random(4)
    const all = owners(12)
    for (let i = 0; i < 2000; i++) {
      const owner = random.pick(all)
      if (random.integer(0, 3) === 0) pool.release(owner)
      else if (pool.find(owner) === undefined) pool.assign(owner, random.integer(8, 16))
      if (i % 100 === 99) pool.closeUnused()
      expect(pool.size).toBe(seen.open)
    }
    expect(seen.mostOpen).toBe(4)
    pool.close()
    expect([pool.size, seen.open, seen.memory]).toEqual([0, 0, 0])
  })

  it('closes what was not used between two looks, and leaves the rest', () => {
    const { pool, seen } = poolOf(4)
    const [busy, idle, gone] = owners(3)
    for (const owner of [busy, idle, gone]) pool.assign(owner, 15)
    pool.release(gone)
    pool.closeUnused()
    expect(seen.open).toBe(3)
    const stream = pool.find(busy) as ZlibStream
    pool.closeUnused()
    expect([pool.find(busy), pool.find(idle), seen.open]).toEqual([stream, undefined, 1])
  })
})
