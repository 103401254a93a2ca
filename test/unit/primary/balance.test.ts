import { describe, expect, it } from 'vitest'
import { createBalancer } from '../../../src/primary/balance.js'

function shards(...connections: (number | undefined)[]) {
  return connections.map(count => ({ takes: count !== undefined, connections: count ?? 0 }))
}

describe('least-connections', () => {
  it('chooses the shard with the fewest', () => {
    expect(createBalancer('least-connections')(shards(3, 1, 2), '')).toBe(1)
  })

  it('passes over a shard that takes none, however few it has', () => {
    expect(createBalancer('least-connections')(shards(5, undefined, 7), '')).toBe(0)
  })

  it('takes turns among equals', () => {
    const balance = createBalancer('least-connections')
    const chosen = Array.from({ length: 6 }, () => balance(shards(4, 4, 4), ''))
    expect(chosen).toEqual([0, 1, 2, 0, 1, 2])
  })

  it('stays even when connections are added as it says', () => {
    const balance = createBalancer('least-connections')
    const counts = [0, 0, 0, 0, 0]
    for (let count = 0; count < 103; count++) {
      const chosen = balance(shards(...counts), '')
      counts[chosen] = (counts[chosen] ?? 0) + 1
    }
    expect(counts.toSorted((a, b) => a - b)).toEqual([20, 20, 21, 21, 21])
  })
})

describe('round-robin', () => {
  it('takes turns whatever they have', () => {
    const balance = createBalancer('round-robin')
    const chosen = Array.from({ length: 5 }, () => balance(shards(9, 0, 3), ''))
    expect(chosen).toEqual([0, 1, 2, 0, 1])
  })

  it('passes over a shard that takes none', () => {
    const balance = createBalancer('round-robin')
    const chosen = Array.from({ length: 4 }, () => balance(shards(0, undefined, 0), ''))
    expect(chosen).toEqual([0, 2, 0, 2])
  })
})

describe('client-address', () => {
  const keys = Array.from({ length: 4000 }, (_, host) => `10.0.${host >> 8}.${host & 255}`)

  it('gives a client the same shard each time', () => {
    const [first, second] = [createBalancer('client-address'), createBalancer('client-address')]
    for (const key of keys) expect(first(shards(0, 9, 4), key)).toBe(second(shards(8, 0, 1), key))
  })

  it.each([2, 3, 4, 7, 8])('spreads neighbouring addresses over %i shards', workers => {
    const balance = createBalancer('client-address')
    const counts = Array.from({ length: workers }, () => 0)
    for (const key of keys) {
      const chosen = balance(shards(...counts), key)
      counts[chosen] = (counts[chosen] ?? 0) + 1
    }
    const fair = keys.length / workers
    for (const count of counts) {
      expect(count).toBeGreaterThan(fair * 0.8)
      expect(count).toBeLessThan(fair * 1.2)
    }
  })

  it('goes to another shard while its own takes none, and back', () => {
    const balance = createBalancer('client-address')
    const own = balance(shards(0, 0, 0), '192.0.2.1')
    const without = [0, 1, 2].map(index => (index === own ? undefined : 0))
    expect(balance(shards(...without), '192.0.2.1')).toBe((own + 1) % 3)
    expect(balance(shards(0, 0, 0), '192.0.2.1')).toBe(own)
  })
})

describe.each(['least-connections', 'round-robin', 'client-address'] as const)('%s', kind => {
  it('says -1 when no shard takes connections', () => {
    expect(createBalancer(kind)(shards(undefined, undefined), '192.0.2.1')).toBe(-1)
  })
})
