import { inspect } from 'node:util'
import type { LogLevel } from './options.js'

/**
 * What the server has to say: events, as lines of text, as lines of JSON or through somebody's logger. None of them
 * holds what clients sent, but for the built-in application at level `debug`.
 */

export type LineLevel = Exclude<LogLevel, 'silent'>

/** What is known of an event beside its text; `event` says which it is, such as `connection.closed`. */
export type LogFacts = Readonly<Record<string, string | number | undefined>>

/** One event. */
export interface LogRecord {
  level: LineLevel
  text: string
  /** With `shard`, its index, where one says it. */
  facts: LogFacts
  error?: unknown
}

/** Logs one event. */
export type Log = (level: LineLevel, text: string, error?: unknown, facts?: LogFacts) => void

/** Where records go. */
export type LogSink = (record: LogRecord) => void

/** A logger as pino is one: facts first, then the text. */
export interface Logger {
  debug(facts: object, text: string): void
  info(facts: object, text: string): void
  warn(facts: object, text: string): void
  error(facts: object, text: string): void
}

const LEVELS: readonly LogLevel[] = ['silent', 'error', 'warn', 'info', 'debug']

/** Warns of something that strangers can bring about. */
export type OccasionalWarning = (text: string, facts: LogFacts) => void

/**
 * Lets one warning a second through to `warn`, with how often there was cause for one since the last (`times`).
 *
 * @param clock milliseconds
 */
export function createOccasionalWarning(
  warn: OccasionalWarning,
  clock: () => number = () => performance.now(),
): OccasionalWarning {
  let nextMs = 0
  let times = 0
  return (text, facts) => {
    times++
    const nowMs = clock()
    if (nowMs < nextMs) return
    nextMs = nowMs + 1000
    warn(text, { ...facts, times })
    times = 0
  }
}

/**
 * Records of a log in a second: clients can cause them, and what takes them may be slower. Those beyond are counted.
 */
export const MAX_RECORDS_PER_SECOND = 1000

/**
 * A log, down to `level`.
 *
 * @param facts of every record
 * @param clock milliseconds
 */
export function createLog(
  level: LogLevel,
  facts: LogFacts,
  sink: LogSink,
  clock: () => number = () => performance.now(),
): Log {
  const most = LEVELS.indexOf(level)
  let second = 0
  let records = 0
  return (lineLevel, text, error, more) => {
    if (LEVELS.indexOf(lineLevel) > most) return
    const now = Math.floor(clock() / 1000)
    if (now !== second) {
      const lost = records - MAX_RECORDS_PER_SECOND
      if (lost > 0) {
        const lostText = `${lost} lines are left out: more than ${MAX_RECORDS_PER_SECOND} in a second`
        sink({ level: 'warn', text: lostText, facts: { ...facts, event: 'log.overflow', lost } })
      }
      second = now
      records = 0
    }
    records++
    if (records > MAX_RECORDS_PER_SECOND) return
    sink({ level: lineLevel, text, facts: { ...facts, ...more }, error })
  }
}

/** The sink that writes lines to stderr. */
export function createSink(format: 'text' | 'json'): LogSink {
  const serialize = format === 'json' ? toJson : toText
  return record => {
    process.stderr.write(`${serialize(record)}\n`)
  }
}

/** The sink that calls a logger, whose faults are not the server's: the first is written to stderr. */
export function createLoggerSink(logger: Logger): LogSink {
  let failed = false
  return ({ level, text, facts, error }) => {
    try {
      logger[level](error === undefined ? facts : { ...facts, err: error }, text)
    } catch (fault) {
      if (failed) return
      failed = true
      process.stderr.write(`shardws: the logger failed: ${describe(fault)}\n`)
    }
  }
}

/** One line, and the stack of an error. */
export function toText({ level, text, facts, error }: LogRecord): string {
  const who = facts.shard === undefined ? 'shardws' : `shard ${facts.shard}`
  return `${who} ${level}: ${printable(text)}${error === undefined ? '' : `: ${describe(error)}`}`
}

/** One line of JSON, with the names that pino uses: `level` (in words), `time` (milliseconds since 1970), `msg`, `err`. */
export function toJson({ level, text, facts, error }: LogRecord, time = Date.now()): string {
  const err = error === undefined ? {} : { err: plainError(error) }
  return JSON.stringify({ level, time, ...facts, msg: text, ...err })
}

function plainError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error, message: inspect(error) }
  const { name, message, stack, cause } = error
  const { code } = error as NodeJS.ErrnoException
  return { type: name, message, code, stack, cause: cause === undefined ? undefined : describe(cause) }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : inspect(error)
}

/** A text that a client had a part in neither breaks the line nor commands the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, character => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
