import { describe, expect, it, onTestFailed, vi } from 'vitest'
import { Deadlines, Timed } from '../../../src/connection/deadlines.js'
import { Random } from '../../support/random.js'

const TICK_MS = 10
const WHEEL_MS = 512 * TICK_MS

class Entry extends Timed {
  readonly #expired: (entry: Entry) => void

  constructor(expired: (entry: Entry) => void) {
    super()
    this.#expired = expired
  }

  expire(): void {
    this.#expired(this)
  }
}

/** A wheel whose clock is the test's. */
function setUp(): { deadlines: Deadlines; pass: (ms: number, stepMs?: number) => void; nowMs: () => number } {
  let nowMs = 0
  const deadlines = new Deadlines(TICK_MS, () => nowMs)
  const pass = (ms: number, stepMs = ms): void => {
    for (const endMs = nowMs + ms; nowMs < endMs; ) {
      nowMs = Math.min(endMs, nowMs + stepMs)
      deadlines.advance()
    }
  }
  return { deadlines, pass, nowMs: () => nowMs }
}

describe('Deadlines', () => {
  it.each([
    0,
    1,
    9,
    10,
    11,
    100,
    5000,
    WHEEL_MS - 20,
    WHEEL_MS - 10,
    WHEEL_MS,
    WHEEL_MS + 10,
    30_000,
    3_600_000,
  ])('expires %i ms exactly: never early, at most two ticks late', ms => {
    for (const offsetMs of [0, 3, 9.5]) {
      const { deadlines, pass, nowMs } = setUp()
      pass(offsetMs)
      let expiredMs = -1
      deadlines.set(
        new Entry(() => {
          expiredMs = nowMs()
        }),
        ms,
      )
      pass(ms + 3 * TICK_MS, ms > 100_000 ? 10 : 1)
      expect(expiredMs).toBeGreaterThanOrEqual(offsetMs + ms)
      expect(expiredMs).toBeLessThanOrEqual(offsetMs + ms + 2 * TICK_MS)
    }
  })

  it('is not early after the thread was busy, and expires once for one stall', () => {
    const { deadlines, pass } = setUp()
    let count = 0
    const entry = new Entry(() => {
      count++
      deadlines.set(entry, 5000)
    })
    deadlines.set(entry, 5000)
    pass(60_000)
    expect(count).toBe(1)
    pass(4900, 10)
    expect(count).toBe(1)
    pass(200, 10)
    expect(count).toBe(2)
  })

  it('counts from the clock, not from the last tick that was noticed', () => {
    let nowMs = 0
    const deadlines = new Deadlines(TICK_MS, () => nowMs)
    deadlines.set(new Entry(() => {}), 100_000)
    let expired = false
    // The thread is busy: nobody calls advance.
    nowMs = 20_000
    deadlines.set(
      new Entry(() => {
        expired = true
      }),
      1000,
    )
    deadlines.advance()
    expect(expired).toBe(false)
    nowMs = 21_020
    deadlines.advance()
    expect(expired).toBe(true)
  })

  it.each([1, 500, WHEEL_MS - TICK_MS, WHEEL_MS, 10 * WHEEL_MS])(
    'finds everything that is due after a stall of %i ms, and nothing else',
    stallMs => {
      const { deadlines, pass } = setUp()
      const expired = new Set<number>()
      for (let ms = 0; ms < 12 * WHEEL_MS; ms += 35) deadlines.set(new Entry(() => expired.add(ms)), ms)
      pass(stallMs)
      const wrong: number[] = []
      for (let ms = 0; ms < 12 * WHEEL_MS; ms += 35) {
        if (ms + 2 * TICK_MS <= stallMs && !expired.has(ms)) wrong.push(ms)
        if (ms > stallMs && expired.has(ms)) wrong.push(ms)
      }
      expect(wrong).toEqual([])
    },
  )

  it('lets what expires drop, move and set others, of the same bucket too', () => {
    const { deadlines, pass } = setUp()
    const expired: string[] = []
    const entries = new Map<string, Entry>()
    const make = (name: string, run = (): void => {}): void => {
      const entry = new Entry(() => {
        expired.push(name)
        run()
      })
      entries.set(name, entry)
      deadlines.set(entry, 100)
    }
    make('first', () => {
      if (expired.length > 1) return
      deadlines.drop(entries.get('dropped') as Entry)
      deadlines.set(entries.get('moved') as Entry, WHEEL_MS)
      deadlines.set(entries.get('first') as Entry, WHEEL_MS - TICK_MS)
    })
    make('dropped')
    make('moved')
    make('last')
    pass(200, 10)
    expect(expired).toEqual(['first', 'last'])
    pass(2 * WHEEL_MS, 10)
    expect(expired).toEqual(['first', 'last', 'first', 'moved'])
  })

  it('agrees with a list that is searched, for 100,000 random steps', () => {
    const random = new Random()
    onTestFailed(() => console.error(`SHARDWS_SEED=${random.seed}`))
    const { deadlines, nowMs, pass } = setUp()
    const due = new Map<Entry, number>()
    let wrong = 0
    let expirations = 0
    const entries = Array.from(
      { length: 300 },
      () =>
        new Entry(entry => {
          const deadlineMs = due.get(entry)
          if (deadlineMs === undefined || nowMs() < deadlineMs) wrong++
          due.delete(entry)
          expirations++
        }),
    )
    const draw = (below: number): number => random.integer(0, below)
    for (let i = 0; i < 100_000; i++) {
      const entry = entries[draw(entries.length)]
      const action = draw(20)
      if (action < 11) {
        const ms = action < 8 ? draw(3000) : draw(4 * WHEEL_MS)
        due.set(entry, nowMs() + ms)
        deadlines.set(entry, ms)
      } else if (action < 14) {
        due.delete(entry)
        deadlines.drop(entry)
      } else {
        pass(action === 14 && draw(100) === 0 ? draw(2 * WHEEL_MS) : draw(30))
        for (const deadlineMs of due.values()) if (deadlineMs + 2 * TICK_MS < nowMs()) wrong++
      }
    }
    expect(wrong).toBe(0)
    expect(expirations).toBeGreaterThan(10_000)
  })

  it('has one timer, and none while there is nothing to wait for', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    try {
      const deadlines = new Deadlines(TICK_MS)
      let expired = 0
      const entries = Array.from({ length: 10 }, () => new Entry(() => expired++))
      for (const entry of entries) deadlines.set(entry, 100)
      expect(vi.getTimerCount()).toBe(1)
      deadlines.drop(entries[0])
      deadlines.drop(entries[0])
      vi.advanceTimersByTime(130)
      expect(expired).toBe(9)
      expect(vi.getTimerCount()).toBe(0)
      vi.advanceTimersByTime(60_000)
      deadlines.set(entries[0], 100)
      vi.advanceTimersByTime(90)
      expect(expired).toBe(9)
      vi.advanceTimersByTime(40)
      expect(expired).toBe(10)
    } finally {
      vi.useRealTimers()
    }
  })
})
