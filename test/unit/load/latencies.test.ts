import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Latencies } from '../../../src/load/latencies.js'

const SHARES = [0, 1, 25, 50, 75, 90, 97.5, 99, 99.9, 99.99, 100]
/** Of itself: half a step of the 64 of each power of two, and what rounding down to microseconds takes. */
const ERROR = 1 / 64

const us = fc.oneof(
  fc.double({ min: 0, max: 200, noNaN: true }),
  fc.double({ min: 0, max: 1e7, noNaN: true }),
  fc.integer({ min: 0, max: 2 ** 36 - 1 }),
)
const samples = fc.array(us, { minLength: 1, maxLength: 300 })

function recorded(values: readonly number[]): Latencies {
  const latencies = new Latencies()
  for (const value of values) latencies.record(value)
  return latencies
}

/** The nearest-rank percentile. */
function exactPercentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(1, Math.ceil((sorted.length * share) / 100)) - 1]
}

describe('Latencies', () => {
  it('knows every percentile to a 64th, and to a microsecond below 64', () => {
    fc.assert(
      fc.property(samples, values => {
        const latencies = recorded(values)
        for (const share of SHARES) {
          const exact = exactPercentile(values, share)
          expect(Math.abs(latencies.percentile(share) - exact)).toBeLessThanOrEqual(1 + exact * ERROR)
        }
      }),
    )
  })

  it('counts, and knows mean, least and most exactly', () => {
    fc.assert(
      fc.property(samples, values => {
        const latencies = recorded(values)
        expect(latencies.count).toBe(values.length)
        expect(latencies.min).toBe(Math.min(...values))
        expect(latencies.max).toBe(Math.max(...values))
        const sum = values.reduce((total, value) => total + value, 0)
        expect(latencies.mean).toBeCloseTo(sum / values.length, 3)
      }),
    )
  })

  it('knows the standard deviation nearly', () => {
    const latencies = recorded([1000, 2000, 3000, 4000])
    expect(latencies.deviation).toBeGreaterThan(1118 * 0.98)
    expect(latencies.deviation).toBeLessThan(1118 * 1.02)
  })

  it('adds up what several processes recorded, by way of JSON', () => {
    fc.assert(
      fc.property(fc.array(fc.array(us, { maxLength: 50 }), { maxLength: 5 }), parts => {
        const sum = new Latencies()
        for (const part of parts) sum.add(JSON.parse(JSON.stringify(recorded(part))))
        const all = recorded(parts.flat())
        expect(sum.count).toBe(all.count)
        expect([sum.min, sum.max]).toEqual([all.min, all.max])
        for (const share of SHARES) expect(sum.percentile(share)).toBe(all.percentile(share))
      }),
    )
  })

  it('has nothing to tell of nothing', () => {
    const { min, max, mean, deviation } = new Latencies()
    expect({ min, max, mean, deviation }).toEqual({ min: 0, max: 0, mean: 0, deviation: 0 })
    expect(new Latencies().percentile(99)).toBe(0)
  })

  it('keeps what is longer than its scale as the longest it has', () => {
    expect(recorded([2 ** 40]).percentile(50)).toBeGreaterThan(2 ** 35)
    expect(recorded([2 ** 40]).max).toBe(2 ** 40)
  })
})
