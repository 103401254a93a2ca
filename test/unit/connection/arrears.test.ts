import { describe, expect, it } from 'vitest'
import { Arrears, type Debtor } from '../../../src/connection/arrears.js'
import { text } from '../../support/frames.js'
import { framesOf, MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { binary } from '../../support/peer-frames.js'

const READ = 256 * 1024

describe('a read that brings more than goes in one go', () => {
  const count = 40_000
  const flood = Buffer.concat([text('first'), ...Array.from({ length: count }, () => text('')), text('last')])

  function countingShard(): { shard: MemoryShard; seen: Map<unknown, string[]> } {
    const seen = new Map<unknown, string[]>()
    const shard = new MemoryShard({
      open: socket => void seen.set(socket.data, []),
      message: (socket, data) => void seen.get(socket.data)?.push(String(data)),
    })
    return { shard, seen }
  }

  it('lets others have their turn, keeps its order, and is read from again at the end', async () => {
    const { shard, seen } = countingShard()
    const { transport } = shard.connect('attacker')
    const other = shard.connect('other').transport
    transport.feed(flood)
    expect(seen.get('attacker')).toHaveLength(shard.codec.eventsCapacity)
    let turns = 0
    for (; transport.isPaused; turns++) {
      other.feed(text(`turn ${turns}`))
      expect(seen.get('other')).toHaveLength(turns + 1)
      await turnEnd()
      expect(turns).toBeLessThan(1000)
    }
    expect(turns).toBeGreaterThanOrEqual(Math.floor(count / shard.codec.eventsCapacity))
    expect(seen.get('attacker')).toEqual(['first', ...Array.from({ length: count }, () => ''), 'last'])
    transport.feed(text('after'))
    expect(seen.get('attacker')?.at(-1)).toBe('after')
  })

  it('is forgotten when the connection ends, and delivered before a FIN that follows it', async () => {
    const { shard, seen } = countingShard()
    const gone = shard.connect('gone').transport
    gone.feed(flood)
    gone.reset()
    const before = seen.get('gone')?.length
    const ending = shard.connect('ending').transport
    ending.feed(flood)
    ending.feedEnd()
    while (!ending.isEnded) {
      await turnEnd()
      ending.pump()
    }
    expect(seen.get('gone')).toHaveLength(before ?? 0)
    expect(seen.get('ending')).toHaveLength(count + 2)
  })

  it('goes on after pauses, and after what waited for the peer is taken', async () => {
    const shard = new MemoryShard(
      { message: (socket, data) => void socket.send(data) },
      { highWaterMark: 100 },
    )
    const { connection, transport } = shard.connect()
    transport.capacity = 10_000
    transport.feed(Buffer.concat(Array.from({ length: 10_000 }, (_, i) => text(String(i)))))
    connection.pause()
    for (let i = 0; i < 20; i++) await turnEnd()
    connection.resume()
    const seen: string[] = []
    for (let turns = 0; seen.length < 10_000 && turns < 5000; turns++) {
      await turnEnd()
      transport.take(10_000)
    }
    seen.push(...framesOf(transport))
    expect(seen).toEqual(Array.from({ length: 10_000 }, (_, i) => `text ${i}`))
    for (let i = 0; i < 5; i++) await turnEnd()
    expect(transport.isPaused).toBe(false)
  })
})

describe('reads that fill the arena', () => {
  it('are no more than four in a row', async () => {
    const shard = new MemoryShard()
    const { transport } = shard.connect()
    const all = Buffer.concat([binary('', { announced: 2 ** 20 }), Buffer.alloc(2 ** 20)])
    const reads = [0, 1, 2, 3].map(index => all.subarray(index * READ, (index + 1) * READ))
    for (let round = 0; round < 2; round++) {
      if (round > 0) transport.feed(all.subarray(4 * READ))
      for (const [index, read] of reads.entries()) {
        transport.feed(read)
        expect(transport.isPaused, `${index}`).toBe(index === 3)
      }
      await turnEnd()
      expect(transport.isPaused).toBe(false)
    }
    // Any other between, and they are counted anew.
    transport.feed(all.subarray(4 * READ))
    for (const read of reads.slice(0, 3)) transport.feed(read)
    transport.feed(reads[3].subarray(1))
    for (const read of reads.slice(0, 3)) transport.feed(read)
    expect(transport.isPaused).toBe(false)
  })
})

describe('arrears', () => {
  it('take no more than a slice of each turn, one after the other', async () => {
    const arrears = new Arrears()
    const done: string[] = []
    const debtor = (name: string, pieces: number): Debtor => ({
      workOff() {
        done.push(name)
        for (const end = performance.now() + 12; performance.now() < end; );
        if (--pieces > 0) arrears.add(this)
      },
    })
    arrears.add(debtor('a', 3))
    arrears.add(debtor('b', 1))
    arrears.add(debtor('c', 2))
    for (const expected of ['a', 'ab', 'abc', 'abca', 'abcac', 'abcaca']) {
      await turnEnd()
      expect(done.join('')).toBe(expected)
    }
  })
})
