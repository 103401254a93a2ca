import type { ResourceLimits } from 'node:worker_threads'
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { ShardError } from '../errors.js'
import type { Ledger } from '../ledger.js'
import type { LogSink } from '../log.js'
import type { FromShard, ShardTask, ToShard } from '../messages.js'
import type { Stop } from '../stop.js'
import type { TcpHandle } from '../tcp-handle.js'
import type { TlsMaterial } from '../tls-material.js'
import type { HandoffLine, OpenLine } from './handoff.js'
import { ShardPool, type ThreadEnd, type ThreadRun } from './pool.js'
import type { ShardLauncher, ShardProcess } from './shard-process.js'

/** What a thread that is to be terminated has at most to load our modules first, in milliseconds. */
const BEGIN_LIMIT_MS = 5000

/** What all shards of a generation are started with. */
export type CommonTask = Omit<ShardTask, 'index' | 'port' | 'ledger'>

/** Shards that are threads, which nobody has used before: a thread keeps the modules that it has loaded. */
export class ThreadLauncher implements ShardLauncher {
  readonly #pool: ShardPool
  #task: CommonTask
  readonly #openLine: OpenLine
  readonly #toLogger: LogSink

  constructor(
    workerFile: string,
    task: CommonTask,
    openLine: OpenLine,
    resourceLimits: ResourceLimits | undefined,
    toLogger: LogSink,
  ) {
    this.#pool = new ShardPool(workerFile, task.workers, resourceLimits)
    this.#task = task
    this.#openLine = openLine
    this.#toLogger = toLogger
  }

  launch(index: number, ledger: Ledger): ShardProcess {
    const { port1, port2 } = new MessageChannel()
    const run = this.#pool.run({ ...this.#task, index, port: port2, ledger: ledger.memory })
    return new ThreadShard(index, run, port1, this.#openLine(port1, ledger), this.#toLogger)
  }

  reloadTls(tls: TlsMaterial): void {
    this.#task = { ...this.#task, tls }
  }

  beginClose(): void {
    this.#pool.beginClose()
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}

class ThreadShard implements ShardProcess {
  readonly ready: Promise<void>
  readonly ended: Promise<ShardError | undefined>
  readonly #index: number
  readonly #run: ThreadRun
  /** While it is open, it also keeps the process alive for the shard's connections. */
  readonly #port: MessagePort
  readonly #line: HandoffLine
  readonly #toLogger: LogSink
  #becomeReady: () => void = () => {}
  #failure: Error | undefined
  #stopping = false
  /** The thread has loaded the shard's modules. */
  #begun = false
  /** It is to be terminated then. */
  #killDue = false

  constructor(index: number, run: ThreadRun, port: MessagePort, line: HandoffLine, toLogger: LogSink) {
    this.#index = index
    this.#run = run
    this.#port = port
    this.#line = line
    this.#toLogger = toLogger
    this.ready = new Promise(resolve => {
      this.#becomeReady = resolve
    })
    port.on('message', (message: FromShard) => this.#receive(message))
    this.ended = run.ended.then(end => {
      // What the thread said last may still be under way.
      for (let last = receiveMessageOnPort(port); last !== undefined; last = receiveMessageOnPort(port)) {
        this.#receive(last.message)
      }
      port.close()
      line.close()
      return this.#verdict(end)
    })
  }

  send(handle: TcpHandle, admission: number): boolean {
    return this.#line.send(handle, admission)
  }

  reloadTls(tls: TlsMaterial): void {
    // A thread that is starting gets it when it has started.
    const message: ToShard = { type: 'tls', tls }
    this.#port.postMessage(message)
  }

  drain(): void {
    this.#stopping = true
    // The shard takes what comes before it hears of the end.
    this.#line.flush()
    const message: ToShard = { type: 'drain' }
    this.#port.postMessage(message)
  }

  stop(stop: Stop): void {
    this.#stopping = true
    // What was accepted before is told the close code, too.
    this.#line.flush()
    const message: ToShard = { type: 'stop', ...stop }
    this.#port.postMessage(message)
  }

  /**
   * A thread that is terminated while Piscina has it `require` our modules can abort the whole process (seen on Node 20.20:
   * `v8::ToLocalChecked Empty MaybeLocal` in `CreateRequiredModuleFacade`), so that one which starts gets the moment
   * that this takes.
   */
  kill(): void {
    if (this.#begun) {
      this.#run.kill()
    } else if (!this.#killDue) {
      this.#killDue = true
      setTimeout(() => this.#run.kill(), BEGIN_LIMIT_MS).unref()
    }
  }

  #receive(message: FromShard): void {
    switch (message.type) {
      case 'begun':
        this.#begun = true
        if (this.#killDue) this.#run.kill()
        break
      case 'ready':
        this.#becomeReady()
        break
      case 'failed':
        this.#failure = message.error
        break
      case 'log':
        this.#toLogger(message.record)
        break
      case 'stopped':
        // The end of the task is what counts.
        break
      // no default
    }
  }

  #verdict(end: ThreadEnd): ShardError | undefined {
    const shard = `shard ${this.#index}`
    if (this.#failure !== undefined) {
      const text = `the application failed to start in ${shard}: ${describe(this.#failure)}`
      return new ShardError('ERR_SHARD_APP', text, { cause: this.#failure })
    }
    if (end.kind === 'returned') {
      return this.#stopping ? undefined : new ShardError('ERR_SHARD_ENDED', `${shard} ended by itself`)
    }
    if (end.kind === 'killed') return new ShardError('ERR_SHARD_KILLED', `${shard} was terminated`)
    if (end.kind === 'exited') {
      return new ShardError('ERR_SHARD_EXITED', `${shard} called process.exit(${end.code})`)
    }
    const { error } = end
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      return new ShardError('ERR_SHARD_OUT_OF_MEMORY', `${shard} ran out of memory`, { cause: error })
    }
    return new ShardError('ERR_SHARD_CRASHED', `${shard} crashed: ${describe(error)}`, { cause: error })
  }
}

/** The first line of an error's text: the rest is in the cause. */
function describe(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1)[0]
}
