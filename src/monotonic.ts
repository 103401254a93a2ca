/**
 * Milliseconds of the clock that all threads of the process share and nobody sets, from some time in the past. (Each
 * thread's `performance.now()` begins at 0.)
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}
