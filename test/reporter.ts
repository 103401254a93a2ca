import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node'
import { counterparts, installCommand } from './counterparts.js'

/** Why `test` was skipped: from `needs()`, of its own or of a suite around it, or from `context.skip(reason)`. */
function skipReason(test: TestCase): string | undefined {
  for (let task: TestCase | TestCase['parent'] = test; task.type !== 'module'; task = task.parent) {
    const { skipReason: reason } = task.meta()
    if (reason !== undefined) return reason
  }
  const result = test.result()
  return result.state === 'skipped' ? result.note : undefined
}

/** Whether `test` did not run because its module, or a hook of a suite around it, failed: that is reported as such. */
function isVictim(test: TestCase): boolean {
  if (test.module.errors().length > 0) return true
  for (let suite = test.parent; suite.type === 'suite'; suite = suite.parent) {
    if (suite.errors().length > 0) return true
  }
  return false
}

/**
 * Ends a run with `N passed, N failed, N skipped` on a line of its own. Before it: the tests that were left out and
 * why, and how to install what they need. In CI a skipped test fails the run unless its reason is in
 * allowed-skips.json.
 */
export class SummaryReporter implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    // A module that fails to load has no tests, and neither has an error outside of one: each is a failure.
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    const leftOut = new Map<string, string[]>()
    for (const module of modules) {
      count.failed += module.errors().length
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed' || state === 'failed') count[state]++
        else {
          count.skipped++
          if (isVictim(test)) continue
          const reason = skipReason(test) ?? ''
          const name = `${module.relativeModuleId} > ${test.fullName}`
          leftOut.set(reason, [...(leftOut.get(reason) ?? []), name])
        }
      }
    }
    this.#listLeftOut(leftOut)
    this.#print(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
  }

  #listLeftOut(leftOut: ReadonlyMap<string, readonly string[]>): void {
    // With -t every other test is skipped, on purpose.
    if (this.#vitest?.config.testNamePattern !== undefined) return
    for (const [reason, names] of leftOut) {
      this.#print(`\nLeft out: ${reason === '' ? '(no reason given)' : reason}`)
      for (const name of names) this.#print(`  ${name}`)
    }
    const missing = Object.values(counterparts).filter(({ reason }) => leftOut.has(reason))
    if (missing.length > 0) this.#print(`\nTo run these too: ${installCommand}`)

    const unlisted = [...leftOut.keys()].filter(reason => !this.#allowedReasons().has(reason))
    if (unlisted.length > 0 && isCI()) {
      this.#print('\nIn CI a test may be skipped only for a reason that test/allowed-skips.json lists.')
      process.exitCode = 1
    }
    if (leftOut.size > 0) this.#print('')
  }

  #allowedReasons(): ReadonlySet<string> {
    const path = join(this.#vitest?.config.root ?? '.', 'test', 'allowed-skips.json')
    const allowed = JSON.parse(readFileSync(path, 'utf8')) as { reason: string; because: string }[]
    return new Set(allowed.map(({ reason }) => reason))
  }

  #print(line: string): void {
    this.#vitest?.logger.log(line)
  }
}

function isCI(): boolean {
  return !['', '0', 'false', undefined].includes(process.env.CI)
}
