import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { spread } from '../../../src/shard/spread.js'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

describe('spread', () => {
  const things = Array.from({ length: 1000 }, (_, index) => index)

  it('does all at once without a time', async () => {
    const done: number[] = []
    await spread(
      things,
      0,
      thing => done.push(thing),
      () => false,
    )
    expect(done).toEqual(things)
  })

  it('does a like share in each part of the time, in order', async () => {
    const done: number[] = []
    const spreading = spread(
      things,
      10_000,
      thing => done.push(thing),
      () => false,
    )
    expect(done).toEqual([])
    for (let second = 1; second <= 10; second++) {
      vi.advanceTimersByTime(1000)
      expect(Math.abs(done.length - second * 100)).toBeLessThanOrEqual(2)
    }
    vi.advanceTimersByTime(40)
    await spreading
    expect(done).toEqual(things)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends when nothing is left', async () => {
    const done: number[] = []
    const spreading = spread(
      things,
      10_000,
      thing => done.push(thing),
      () => done.length >= 50,
    )
    vi.advanceTimersByTime(1000)
    await spreading
    expect(done.length).toBeLessThan(60)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends when there is nothing at all', async () => {
    const never = vi.fn<() => void>()
    const spreading = spread([], 10, never, () => false)
    vi.advanceTimersByTime(20)
    await spreading
    expect(never).not.toHaveBeenCalled()
  })
})
