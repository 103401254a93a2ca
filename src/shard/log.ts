import { inspect } from 'node:util'
import type { Log } from '../connection/environment.js'
import type { LogLevel } from '../options.js'

const LEVELS: readonly LogLevel[] = ['silent', 'error', 'warn', 'info', 'debug']

/**
 * Lines on stderr, down to `level`.
 *
 * @param who stands in front of every line
 */
export function createLog(level: LogLevel, who: string): Log {
  const most = LEVELS.indexOf(level)
  return (lineLevel, text, error) => {
    if (LEVELS.indexOf(lineLevel) > most) return
    const detail =
      error === undefined
        ? ''
        : `: ${error instanceof Error ? (error.stack ?? error.message) : inspect(error)}`
    process.stderr.write(`${who} ${lineLevel}: ${text}${detail}\n`)
  }
}
