import { describe, expect, it } from 'vitest'
import { ClientCounts } from '../../src/client-counts.js'

const SEED = 12_345

describe('the counts of clients', () => {
  it('go up to the limit, each client for itself, and down again', () => {
    const counts = ClientCounts.create(2, 100, SEED)
    expect([0, 1, 2].map(number => counts.take(number, 'a'))).toEqual([true, true, false])
    expect(counts.take(3, 'b')).toBe(true)
    counts.give(0)
    expect(counts.take(4, 'a')).toBe(true)
    expect(counts.take(5, 'a')).toBe(false)
  })

  it('count a connection once, and one that was not counted not at all', () => {
    const counts = ClientCounts.create(1, 10, SEED)
    expect([counts.take(0, 'a'), counts.take(0, 'a')]).toEqual([true, true])
    counts.give(1)
    expect(counts.take(1, 'a')).toBe(false)
    counts.give(1)
    counts.give(0)
    counts.give(0)
    expect(counts.take(2, 'a')).toBe(true)
    expect(counts.take(3, 'a')).toBe(false)
  })

  it('are shared by whoever has the facts', () => {
    const primary = ClientCounts.create(1, 10, SEED)
    const [one, two] = [new ClientCounts(primary.facts), new ClientCounts(primary.facts)]
    expect([one.take(0, 'a'), two.take(1, 'a')]).toEqual([true, false])
    primary.give(0)
    expect(two.take(1, 'a')).toBe(true)
  })

  it('mix few clients up, though they share cells', () => {
    const counts = ClientCounts.create(1, 64, SEED)
    const denied = Array.from({ length: 64 }, (_, n) => counts.take(n, `192.0.2.${n}`)).filter(
      taken => !taken,
    )
    // 64 in 128 cells: with one cell each it would be about 13.
    expect(denied.length).toBeLessThan(8)
  })

  it('are right for as many clients as there may be, and empty in the end', () => {
    const capacity = 20_000
    const counts = ClientCounts.create(5, capacity, SEED)
    const address = (n: number): string => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`
    for (let n = 0; n < capacity; n++) expect(counts.take(n, address(n))).toBe(true)
    for (let n = 0; n < capacity; n++) counts.give(n)
    expect(new Int32Array(counts.facts.memory).every(value => value === 0)).toBe(true)
  })
})
