import { channel } from 'node:diagnostics_channel'
import type { ShardError } from '../errors.js'
import { createLog, createLoggerSink, createSink, type Log, type LogFacts, type LogSink } from '../log.js'
import type { ResolvedOptions } from '../serve-options.js'

/** For tracing tools, in the main thread: `{ error, index }`. */
const CRASH = channel('shardws:shard:crash')
/** The same, of a reload: `{ generation }`, or `{ error }`. */
const RELOAD = channel('shardws:server:reload')

/** Says what happens to a server and its shards: to the log, and to the diagnostics channels. */
export class Reporter {
  /** Where the records go, those of the shards as well. */
  readonly sink: LogSink
  readonly #log: Log
  /** Text is for people, who see from the command when it listens and stops. */
  readonly #isForTerminal: boolean

  constructor({ logger, logFormat, logLevel }: ResolvedOptions) {
    this.#isForTerminal = logger === undefined && logFormat === 'text'
    this.sink = logger === undefined ? createSink(logFormat) : createLoggerSink(logger)
    this.#log = createLog(logLevel, {}, this.sink)
  }

  /** What a terminal does not need. */
  inform(text: string, facts: LogFacts): void {
    if (!this.#isForTerminal) this.#log('info', text, undefined, facts)
  }

  warn(text: string, facts: LogFacts): void {
    this.#log('warn', text, undefined, facts)
  }

  /**
   * A shard has failed.
   *
   * @param isHeard somebody listens to the event, who says it as well on a terminal
   */
  crashed(error: ShardError, shard: number, isReplaced: boolean, isHeard: boolean): void {
    if (CRASH.hasSubscribers) CRASH.publish({ error, index: shard })
    if (isHeard && this.#isForTerminal) return
    const facts = {
      event: 'shard.crashed',
      shard: this.#isForTerminal ? undefined : shard,
      fault: error.code,
    }
    this.#log('error', `${error.message}${isReplaced ? '; another takes its place' : ''}`, error.cause, facts)
  }

  /** New shards take the connections. */
  reloaded(generation: number): void {
    const text = `new shards take the connections (generation ${generation})`
    this.inform(text, { event: 'reload.done', generation })
    if (RELOAD.hasSubscribers) RELOAD.publish({ generation })
  }

  /** They do not. */
  reloadFailed(error: unknown): void {
    if (RELOAD.hasSubscribers) RELOAD.publish({ error })
    // On a terminal whoever asked for it says so.
    if (this.#isForTerminal) return
    const { code, message, cause } = error as Error & { code?: string }
    this.#log('error', `the reload failed: ${message}`, cause, { event: 'reload.failed', fault: code })
  }
}
