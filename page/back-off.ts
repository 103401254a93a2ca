const FIRST_MS = 500
const MOST_MS = 30_000

/**
 * Milliseconds to wait before the next attempt to connect: twice as long each time, up to half a minute, and of that
 * something between half and all, so that the clients of a server that went away do not come back together.
 *
 * @param failures attempts since the last connection that was open
 * @param chance 0 to 1
 */
export function backOffMs(failures: number, chance: number): number {
  const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures, 16))
  return Math.round(most * (0.5 + chance / 2))
}
