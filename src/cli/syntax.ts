import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const LIMIT_MS = 10_000

/**
 * Where an application's syntax is wrong. An error that was thrown by an import in a thread has lost it, and there is
 * no way to ask; Node, told to check the file, prints it.
 *
 * @param app a path or URL
 * @returns the place, its line of source and the error; undefined when this file is not what is wrong
 */
export function syntaxFault(app: string): string | undefined {
  const path = app.startsWith('file:') ? fileURLToPath(app) : resolve(app)
  const { status, stderr } = spawnSync(process.execPath, ['--check', path], {
    encoding: 'utf8',
    timeout: LIMIT_MS,
  })
  if (status === 0 || !stderr.includes('SyntaxError')) return undefined
  // Below the error are Node's own functions and its version.
  return stderr.slice(0, stderr.indexOf('\n', stderr.indexOf('SyntaxError'))).trim()
}
