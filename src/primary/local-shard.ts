import { ShardError } from '../errors.js'
import type { Ledger } from '../ledger.js'
import type { LogSink } from '../log.js'
import { CloseCode } from '../rfc6455.js'
import { type RunningShard, startShard } from '../shard/shard.js'
import type { Stop } from '../stop.js'
import { closeHandle, type TcpHandle } from '../tcp-handle.js'
import type { TlsMaterial } from '../tls-material.js'
import type { ShardLauncher, ShardProcess } from './shard-process.js'
import type { CommonTask } from './thread-shard.js'

/**
 * The one shard of a platform that can't hand sockets to threads: it runs in the primary's thread, so that what
 * crashes it ends the process.
 */
export class LocalLauncher implements ShardLauncher {
  #task: CommonTask
  readonly #toLogger: LogSink

  constructor(task: CommonTask, toLogger: LogSink) {
    this.#task = task
    this.#toLogger = toLogger
  }

  launch(index: number, ledger: Ledger): ShardProcess {
    const starting = startShard({ ...this.#task, index, ledger: ledger.memory }, this.#toLogger)
    return new LocalShard(starting, index)
  }

  reloadTls(tls: TlsMaterial): void {
    this.#task = { ...this.#task, tls }
  }

  beginClose(): void {}

  async close(): Promise<void> {}
}

class LocalShard implements ShardProcess {
  readonly ready: Promise<void>
  readonly ended: Promise<ShardError | undefined>
  readonly #index: number
  #shard: RunningShard | undefined
  #stopping = false
  /** For when it has started. */
  #tls: TlsMaterial | undefined
  #becomeReady: () => void = () => {}
  #end: (error: ShardError | undefined) => void = () => {}

  constructor(starting: Promise<RunningShard>, index: number) {
    this.#index = index
    this.ready = new Promise(resolve => {
      this.#becomeReady = resolve
    })
    this.ended = new Promise(resolve => {
      this.#end = resolve
    })
    void this.#start(starting)
  }

  send(handle: TcpHandle, admission: number): boolean {
    if (this.#shard === undefined) {
      closeHandle(handle)
      return false
    }
    this.#shard.adoptHandle(handle, admission)
    return true
  }

  reloadTls(tls: TlsMaterial): void {
    if (this.#shard === undefined) this.#tls = tls
    else this.#shard.reloadTls(tls)
  }

  drain(): void {
    this.#stopping = true
    void this.#awaitEnd(this.#shard?.drain())
  }

  stop({ code, timeoutMs, spreadMs, gently }: Stop): void {
    this.#stopping = true
    void this.#awaitEnd(this.#shard?.stop(code, timeoutMs, spreadMs, gently))
  }

  /** Of a thread's own code nothing can be cut short: what goes on in it goes on. */
  kill(): void {
    if (!this.#stopping) this.stop({ code: CloseCode.GOING_AWAY, timeoutMs: 0, spreadMs: 0, gently: false })
    this.#end(new ShardError('ERR_SHARD_KILLED', `shard ${this.#index} was terminated`))
  }

  async #start(starting: Promise<RunningShard>): Promise<void> {
    try {
      this.#shard = await starting
      if (this.#tls !== undefined) this.#shard.reloadTls(this.#tls)
      this.#becomeReady()
    } catch (error) {
      this.#fail('ERR_SHARD_APP', 'the application failed to start in', error)
    }
  }

  async #awaitEnd(ending: Promise<void> | undefined): Promise<void> {
    try {
      await ending
      this.#end(undefined)
    } catch (error) {
      this.#fail('ERR_SHARD_CRASHED', 'the application failed to stop in', error)
    }
  }

  #fail(code: string, what: string, cause: unknown): void {
    const text = cause instanceof Error ? cause.message : String(cause)
    this.#end(new ShardError(code, `${what} shard ${this.#index}: ${text}`, { cause }))
  }
}
