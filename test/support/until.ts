import { setTimeout as pause } from 'node:timers/promises'

/** Milliseconds that anything on loopback may take on a busy machine. A test that waits longer has failed. */
export const LIMIT_MS = 20_000

/** Asks `condition` again and again until it is truthy, and returns what it was. */
export async function until<T>(
  what: string | (() => string),
  condition: () => T | Promise<T>,
  limitMs = LIMIT_MS,
): Promise<NonNullable<T>> {
  const end = performance.now() + limitMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > end) {
      throw new Error(`after ${limitMs} ms still not: ${typeof what === 'string' ? what : what()}`)
    }
    await pause(2)
  }
}

/** Waits for `promise`, and fails with a message that says what for when it takes too long. */
export async function soon<T>(what: string, promise: Promise<T>, limitMs = LIMIT_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`nothing after ${limitMs} ms: ${what}`)
    timer = setTimeout(() => reject(error), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
