import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Admission } from '../../../src/primary/admission.js'

describe('Admission', () => {
  it('admits exactly maxConnections, and as many again as were released', () => {
    const admission = new Admission(3, 0)
    const numbers = [0, 1, 2].map(() => {
      expect(admission.denial('')).toBeUndefined()
      return admission.admit('', 0)
    })
    expect(new Set(numbers).size).toBe(3)
    expect(admission.denial('')).toBe('maxConnections')
    expect(admission.release(numbers[1], 0)).toBe(true)
    expect(admission.held).toBe(2)
    expect(admission.denial('')).toBeUndefined()
    expect(admission.admit('', 0)).toBe(numbers[1])
    expect(admission.denial('')).toBe('maxConnections')
  })

  it('admits exactly maxConnectionsPerIp of each client', () => {
    const admission = new Admission(100, 2)
    const [first] = [admission.admit('a', 0), admission.admit('a', 1)]
    expect(admission.denial('a')).toBe('maxConnectionsPerIp')
    expect(admission.denial('b')).toBeUndefined()
    admission.release(first, 0)
    expect(admission.denial('a')).toBeUndefined()
  })

  it('ignores a number that the shard does not hold', () => {
    const admission = new Admission(10, 1)
    const number = admission.admit('a', 1)
    expect(admission.release(number, 0)).toBe(false)
    expect(admission.release(number + 1, 1)).toBe(false)
    expect(admission.release(-1, 1)).toBe(false)
    expect(admission.release(number, 1)).toBe(true)
    expect(admission.release(number, 1)).toBe(false)
    expect(admission.held).toBe(0)
  })

  it('releases all of a shard and nothing of the others', () => {
    const admission = new Admission(10, 3)
    for (const shard of [0, 1, 0, 1, 0]) admission.admit(`client ${shard}`, shard)
    admission.releaseAll(0)
    expect(admission.held).toBe(2)
    expect(admission.denial('client 0')).toBeUndefined()
    admission.admit('client 1', 1)
    expect(admission.denial('client 1')).toBe('maxConnectionsPerIp')
  })

  it('counts as a plain list of connections does', () => {
    const action = fc.record({ key: fc.constantFrom('a', 'b', 'c'), shard: fc.nat(2), take: fc.double() })
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), fc.integer({ min: 1, max: 12 }), (actions, max) => {
        const perKey = 3
        const admission = new Admission(max, perKey)
        const there: { number: number; key: string; shard: number }[] = []
        for (const { key, shard, take } of actions) {
          if (take > 0 || there.length === 0) {
            const ofKey = there.filter(connection => connection.key === key).length
            const expected =
              there.length >= max ? 'maxConnections' : ofKey >= perKey ? 'maxConnectionsPerIp' : undefined
            if (admission.denial(key) !== expected) return false
            if (expected === undefined) there.push({ number: admission.admit(key, shard), key, shard })
          } else if (take < -1e300) {
            admission.releaseAll(shard)
            for (let index = there.length; index-- > 0; )
              if (there[index]?.shard === shard) there.splice(index, 1)
          } else {
            const gone = there.shift() as (typeof there)[number]
            if (!admission.release(gone.number, gone.shard)) return false
          }
          const numbers = new Set(there.map(connection => connection.number))
          if (admission.held !== there.length || numbers.size !== there.length) return false
          if (there.some(({ number }) => number >= max)) return false
        }
        return true
      }),
    )
  })
})
