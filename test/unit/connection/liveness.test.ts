import { describe, expect, it } from 'vitest'
import { isGivenUp, isPingDue, nextLook } from '../../../src/connection/liveness.js'
import { resolveOptions } from '../../../src/serve-options.js'

const options = (idlePingMs: number, idleTimeoutMs: number) => ({
  ...resolveOptions({}).connection,
  idlePingMs,
  idleTimeoutMs,
})

describe('a silent peer', () => {
  it.each([
    // ping, time-out, silence, pinged: is a Ping due, is it given up, silence at the next look
    [30, 60, 0, false, false, false, 30],
    [30, 60, 29, false, false, false, 30],
    [30, 60, 30, false, true, false, 30],
    [30, 60, 30, true, false, false, 60],
    [30, 60, 60, true, false, true, 60],
    [0, 60, 59, false, false, false, 60],
    [0, 60, 60, false, false, true, 60],
    [30, 0, 30, false, true, false, 30],
    [30, 0, 30, true, false, false, 60],
    [30, 0, 1000, true, false, false, 1030],
    [0, 0, 1000, false, false, false, Number.POSITIVE_INFINITY],
    [60, 30, 30, false, false, true, 30],
    [60, 60, 60, false, false, true, 60],
  ] as const)(
    'ping %i, time-out %i, silent for %i, pinged %s',
    (ping, timeout, idle, pinged, due, over, look) => {
      expect(isPingDue(options(ping, timeout), idle, pinged)).toBe(due)
      expect(isGivenUp(options(ping, timeout), idle)).toBe(over)
      expect(nextLook(options(ping, timeout), idle, pinged)).toBe(look)
    },
  )
})
