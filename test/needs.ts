import type { TestOptions } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    /** Why a test is left out; the reporter reads it. */
    skipReason?: string
  }
}

/**
 * Options of a `test` or `describe` that can only run when `condition` is truthy: `describe('…', needs(chromiumPath(),
 * counterparts.chromium.reason), () => { … })`. Hooks of a suite that is left out don't run either.
 *
 * @param reason why it is left out otherwise. CI fails unless it is in allowed-skips.json.
 */
export function needs(condition: unknown, reason: string): TestOptions {
  return condition ? {} : { skip: true, meta: { skipReason: reason } }
}

/** Whether this Node is at least `version`, such as `22` or `24.21`. */
export function nodeIsAtLeast(version: string): boolean {
  const wanted = version.split('.').map(Number)
  const actual = process.versions.node.split('.').map(Number)
  const differing = wanted.findIndex((part, index) => part !== actual[index])
  return differing === -1 || (wanted[differing] ?? 0) < (actual[differing] ?? 0)
}
