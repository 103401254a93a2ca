import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientKey } from '../../src/client-key.js'
import { ClientRates } from '../../src/client-rates.js'

const SEED = 12_345

describe('the rates of clients', () => {
  it.each([1, 3, 7, 1000, 50_000])('%d a second: ten seconds’ worth at once, then that many', perSecond => {
    const rates = ClientRates.create(perSecond, SEED)
    const take = (nowMs: number, most: number): number => {
      let taken = 0
      while (taken < most && rates.take('a', nowMs)) taken++
      return taken
    }
    expect(take(5000, perSecond * 11)).toBe(perSecond * 10)
    expect(take(5000, 1)).toBe(0)
    expect(take(6000, perSecond * 2)).toBe(perSecond)
    // Long after there is no more than a burst.
    expect(take(1e7, perSecond * 11)).toBe(perSecond * 10)
  })

  it('are each client’s own, and shared by whoever has the facts', () => {
    const primary = ClientRates.create(1, SEED)
    const shard = new ClientRates(primary.facts)
    for (let i = 0; i < 10; i++) expect((i % 2 === 0 ? primary : shard).take('a', 0)).toBe(true)
    expect([primary.take('a', 0), shard.take('a', 0)]).toEqual([false, false])
    expect(shard.take('b', 0)).toBe(true)
    expect(shard.take('a', 1000)).toBe(true)
  })

  it('never refuse who is within them, whatever the times are', () => {
    const steps = fc.array(fc.record({ waitMs: fc.nat(3000), wanted: fc.nat(20) }), { maxLength: 30 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 50 }), (plan, perSecond) => {
        const rates = ClientRates.create(perSecond, SEED)
        let nowMs = 0
        // A bucket as it is in books.
        let tokens = perSecond * 10
        for (const { waitMs, wanted } of plan) {
          nowMs += waitMs
          tokens = Math.min(perSecond * 10, tokens + (waitMs * perSecond) / 1000)
          for (let i = 0; i < wanted; i++) {
            const isTaken = rates.take('a', nowMs)
            // At the edge half a token is left to rounding.
            if (tokens >= 1) expect(isTaken).toBe(true)
            if (tokens < 0.4) expect(isTaken).toBe(false)
            if (isTaken) tokens--
          }
        }
      }),
      { numRuns: 50 },
    )
  })

  it('take the same memory for a million clients, of which hardly any suffers for the others', () => {
    const rates = ClientRates.create(1, SEED)
    const bytes = rates.facts.memory.byteLength
    let refused = 0
    for (let i = 0; i < 1_000_000; i++) {
      // A new client every 10 µs, which is gone then.
      if (!rates.take(clientKey(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`), i / 100)) refused++
    }
    expect(rates.facts.memory.byteLength).toBe(bytes)
    expect(bytes).toBe(2 ** 20)
    expect(refused).toBe(0)
  })
})
