// A handler's work: always the same number of steps, each of which needs the one before, so that the time that a
// process spends waiting for a processor is not taken for work.
const state = new Int32Array(1)

export function spin(steps) {
  let value = state[0]
  for (let i = 0; i < steps; i++) value = (Math.imul(value, 1664525) + 1013904223) | 0
  state[0] = value
}

/** How many steps take `us` microseconds here. */
export function stepsFor(us) {
  const STEPS = 200_000
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 20; round++) {
    const start = performance.now()
    spin(STEPS)
    best = Math.min(best, (performance.now() - start) * 1000)
  }
  return Math.round((STEPS * us) / best)
}

/** Node 26 takes two seconds of calls to compile `spin`; until then it takes ten times as long. */
const WARMUP_MS = 3000

/** To be called before a server says that it is ready. */
export function warmUp(steps) {
  if (steps === 0) return
  const end = performance.now() + WARMUP_MS
  while (performance.now() < end) spin(steps)
}
