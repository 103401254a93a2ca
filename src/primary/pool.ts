import type { ResourceLimits, Worker } from 'node:worker_threads'
import { Piscina, queueOptionsSymbol } from 'piscina'
import type { ShardTask } from '../messages.js'

/** What ended a shard's thread. */
export type ThreadEnd =
  /** Its task returned. */
  | { kind: 'returned' }
  /** An uncaught exception, the task's rejection, or out of memory. */
  | { kind: 'threw'; error: unknown }
  /** `process.exit`. */
  | { kind: 'exited'; code: number }
  | { kind: 'killed' }

export interface ThreadRun {
  /** Settles, and never rejects, once the thread is gone: no code of the shard runs after it. */
  readonly ended: Promise<ThreadEnd>
  /** Terminates the thread. */
  kill(): void
}

/** Learns, through Piscina's load balancer, on which thread a task is placed. */
interface Placement {
  placed(threadId: number): void
}

/** How long a task may wait for a thread in the shared pool. A thread takes some 50 ms to start. */
const PLACING_LIMIT_MS = 5000

/**
 * The threads of the shards, and the only place that knows Piscina. Every shard is one task that does not end by
 * itself on a thread of its own; a thread runs one task in its life, so that a shard which is started anew finds no
 * modules, timers or globals of the one before.
 */
export class ShardPool {
  readonly #filename: string
  readonly #resourceLimits: ResourceLimits | undefined
  readonly #shared: Piscina
  /** Shards that the shared pool had no thread for: they get a pool of one each from then on. */
  readonly #outcasts = new Set<number>()
  readonly #runs = new Set<Promise<ThreadEnd>>()
  #closing = false

  /** @param filename the module whose default export is the task */
  constructor(filename: string, threads: number, resourceLimits: ResourceLimits | undefined) {
    this.#filename = filename
    this.#resourceLimits = resourceLimits
    this.#shared = this.#create(threads)
  }

  /** Runs a shard; its port moves to the thread. */
  run(task: ShardTask): ThreadRun {
    const abort = new AbortController()
    const ended = this.#run(task, abort.signal)
    this.#runs.add(ended)
    void ended.then(() => this.#runs.delete(ended))
    return { ended, kill: () => abort.abort() }
  }

  /** From now on threads whose task returned are left to `close`, so that none is started in their place. */
  beginClose(): void {
    this.#closing = true
  }

  /** Ends all threads. Every run must have ended or have been killed. */
  async close(): Promise<void> {
    this.beginClose()
    // A thread that ends after destroy() would make Piscina start another.
    await Promise.all(this.#runs)
    await this.#shared.destroy()
  }

  #create(threads: number): Piscina {
    const pool = new Piscina({
      // With atomics an idle worker blocks in Atomics.wait.
      atomics: 'disabled',
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      idleTimeout: Infinity,
      recordTiming: false,
      // No filename: it would be loaded while the thread starts, and one failure there stops Piscina's respawning.
      ...(this.#resourceLimits && { resourceLimits: this.#resourceLimits }),
      loadBalancer(task, workers) {
        const free = workers.find(worker => worker.currentUsage === 0)
        if (free === undefined) return null
        const placement = task[queueOptionsSymbol] as Placement | null
        placement?.placed(free.id)
        return free
      },
    })
    // A thread without a task died. Without a listener that would end the process; whether a thread is missing
    // shows when the next task finds none.
    pool.on('error', () => {})
    return pool
  }

  async #run(task: ShardTask, signal: AbortSignal): Promise<ThreadEnd> {
    if (!this.#outcasts.has(task.index)) {
      const end = await this.#attempt(this.#shared, task, signal, PLACING_LIMIT_MS)
      if (end !== undefined) return end
      this.#outcasts.add(task.index)
    }
    const own = this.#create(1)
    const end = await this.#attempt(own, task, signal, PLACING_LIMIT_MS)
    await own.destroy()
    return end ?? { kind: 'threw', error: new Error('no thread could be started') }
  }

  /** @returns undefined when the pool had no thread for the task within the limit */
  async #attempt(
    pool: Piscina,
    task: ShardTask,
    signal: AbortSignal,
    limitMs: number,
  ): Promise<ThreadEnd | undefined> {
    if (signal.aborted) return { kind: 'killed' }
    const abort = new AbortController()
    const kill = () => abort.abort()
    signal.addEventListener('abort', kill)
    const limit = setTimeout(kill, limitMs)

    let thread: Worker | undefined
    let exited: Promise<void> | undefined
    let exitCode: number | undefined
    let crash: { error: unknown } | undefined
    const placement: Placement = {
      placed(threadId) {
        clearTimeout(limit)
        thread = pool.threads.find(candidate => candidate.threadId === threadId)
        thread?.once('error', error => {
          crash = { error }
        })
        exited = new Promise(resolve => {
          thread?.once('exit', code => {
            exitCode = code
            resolve()
          })
        })
      },
    }

    let end: ThreadEnd | undefined
    try {
      await pool.run(
        { ...task, [queueOptionsSymbol]: placement },
        { filename: this.#filename, name: 'default', transferList: [task.port], signal: abort.signal },
      )
      end = { kind: 'returned' }
    } catch (error) {
      if (signal.aborted) end = { kind: 'killed' }
      else if (crash !== undefined) end = { kind: 'threw', error: crash.error }
      else if (exitCode !== undefined) end = { kind: 'exited', code: exitCode }
      else if (thread !== undefined) end = { kind: 'threw', error }
    }
    clearTimeout(limit)
    signal.removeEventListener('abort', kill)

    if (thread !== undefined && !(this.#closing && end?.kind === 'returned')) {
      void thread.terminate()
      await exited
    }
    return end
  }
}
