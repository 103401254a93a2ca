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

/** How long a task may wait for a thread of a pool. A thread takes some 50 ms to start. */
const PLACING_LIMIT_MS = 5000

/**
 * The young generation of a shard's heap, in MiB. A thread that runs out of memory can be ended by itself only if a
 * garbage collection does not move more at a time from the young generation to the old one than V8 lends it. With the
 * default of Node 24 (192) a third to all of such cases aborted the whole process; with 48 and less, none.
 */
const YOUNG_GENERATION_MB = 32

/**
 * The threads of a generation of shards, and the only place that knows Piscina. Every shard is one task that does not end by
 * itself on a thread of its own; a thread runs one task in its life, so that a shard which is started anew finds no
 * modules, timers or globals of the one before.
 */
export class ShardPool {
  readonly #filename: string
  readonly #resourceLimits: ResourceLimits | undefined
  readonly #shared: Piscina
  /** Shards that the shared pool had no thread for: from then on they get a new pool of one thread for each life. */
  readonly #outcasts = new Set<number>()
  readonly #runs = new Set<Promise<ThreadEnd>>()
  /** Threads that have a task. */
  readonly #busy = new Set<Worker>()
  /** Called when no thread is to be expected of a pool: the tasks that wait for one give up. */
  readonly #waiting = new Set<() => void>()
  #closing = false
  #closed: Promise<void> | undefined

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

  /** Ends all threads. Every run must have ended or have been killed. A second call gives the promise of the first. */
  close(): Promise<void> {
    this.beginClose()
    // A thread that ends after destroy() would make Piscina start another.
    this.#closed ??= Promise.all(this.#runs).then(() => this.#shared.destroy())
    return this.#closed
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
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB, ...this.#resourceLimits },
      loadBalancer(task, workers) {
        const free = workers.find(worker => worker.currentUsage === 0)
        if (free === undefined) return null
        const placement = task[queueOptionsSymbol] as Placement | null
        placement?.placed(free.id)
        return free
      },
    })
    // A thread that had no task died: one that was starting, which Piscina then does not replace. (Without a listener
    // the event would end the process.)
    pool.on('error', () => {
      for (const giveUp of this.#waiting) giveUp()
    })
    return pool
  }

  async #run(task: ShardTask, signal: AbortSignal): Promise<ThreadEnd> {
    if (!this.#outcasts.has(task.index)) {
      const end = await this.#attempt(this.#shared, task, signal)
      if (end !== undefined) return end
      this.#cast(task.index)
      if (signal.aborted) return { kind: 'killed' }
    }
    const own = this.#create(1)
    const end = await this.#attempt(own, task, signal)
    await own.destroy()
    return end ?? { kind: 'threw', error: new Error('no thread could be started') }
  }

  /** The shared pool has no thread for the shard: threads that are stuck in their start are not left running. */
  #cast(index: number): void {
    this.#outcasts.add(index)
    for (const thread of this.#shared.threads) if (!this.#busy.has(thread)) void thread.terminate()
  }

  /** @returns undefined when the pool had no thread for the task within the limit, or until it was killed */
  async #attempt(pool: Piscina, task: ShardTask, signal: AbortSignal): Promise<ThreadEnd | undefined> {
    if (signal.aborted) return { kind: 'killed' }
    const abort = new AbortController()
    const giveUp = () => abort.abort()
    signal.addEventListener('abort', giveUp)
    const limit = setTimeout(giveUp, PLACING_LIMIT_MS)
    this.#waiting.add(giveUp)

    let thread: Worker | undefined
    let exited: Promise<void> | undefined
    let exitCode: number | undefined
    let crash: { error: unknown } | undefined
    const placement: Placement = {
      placed: threadId => {
        clearTimeout(limit)
        this.#waiting.delete(giveUp)
        thread = pool.threads.find(candidate => candidate.threadId === threadId)
        if (thread === undefined) return
        this.#busy.add(thread)
        thread.once('error', error => {
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
      if (thread === undefined) end = undefined
      else if (signal.aborted) end = { kind: 'killed' }
      else if (crash !== undefined) end = { kind: 'threw', error: crash.error }
      else if (exitCode !== undefined) end = { kind: 'exited', code: exitCode }
      else end = { kind: 'threw', error }
    }
    clearTimeout(limit)
    this.#waiting.delete(giveUp)
    signal.removeEventListener('abort', giveUp)

    if (thread !== undefined) {
      this.#busy.delete(thread)
      if (!this.#closing || end?.kind !== 'returned') {
        void thread.terminate()
        await exited
      }
    }
    return end
  }
}
