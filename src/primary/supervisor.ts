import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { ShardError } from '../errors.js'
import { CloseCode } from '../rfc6455.js'
import type { Stop } from '../stop.js'
import type { TlsMaterial } from '../tls-material.js'
import type { ShardLauncher } from './shard-process.js'
import type { ShardSlot } from './shard-slot.js'

/** Waits before a failed shard is started again. */
export interface Backoff {
  /** After the first failure; it doubles with every other. */
  firstMs: number
  maxMs: number
  /** A shard that was ready for as long as this begins with `firstMs` again. */
  healthyMs: number
}

export const BACKOFF: Backoff = { firstMs: 100, maxMs: 10_000, healthyMs: 60_000 }

/** What a shard gets beyond the stop time-out to end by itself, and a terminated thread to be gone. */
const GRACE_MS = 1000

export interface SupervisorOptions {
  slots: readonly ShardSlot[]
  launcher: ShardLauncher
  /** Milliseconds from the start of a shard until it must be ready. */
  startTimeoutMs: number
  /** Milliseconds that shards get to end which had started when another did not. */
  stopTimeoutMs: number
  backoff: Backoff
  /** A shard that was replaced is ready. */
  onReplaced: (index: number) => void
  /** A shard failed after start-up. It is replaced, whatever is done about it, unless all of them are to end. */
  onFailure: (error: ShardError, index: number, isReplaced: boolean) => void
}

/**
 * Keeps every slot of a generation filled with a running shard: at start-up all or none, later each again and again,
 * until they are to end.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  /** By slot: the next wait before a new start. */
  readonly #delaysMs: number[]
  readonly #waits = new Set<NodeJS.Timeout>()
  /** Settles the promise of `start`; undefined before and after. */
  #starting: { ready: (slot: ShardSlot) => void; failed: (error: ShardError) => void } | undefined
  /** No shard is replaced any more. */
  #ending = false
  /** Ends the patience of `drain`. */
  #hurry: () => void = () => {}

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#delaysMs = options.slots.map(() => options.backoff.firstMs)
  }

  /**
   * Starts all shards and resolves when all are ready.
   *
   * @throws ShardError when one of them fails; all have ended then
   */
  async start(): Promise<void> {
    const { slots, stopTimeoutMs } = this.#options
    try {
      await new Promise<void>((resolve, reject) => {
        const missing = new Set(slots)
        this.#starting = {
          ready(slot) {
            missing.delete(slot)
            if (missing.size === 0) resolve()
          },
          failed: reject,
        }
        for (const slot of slots) this.#begin(slot)
      })
    } catch (error) {
      const { GOING_AWAY } = CloseCode
      await this.stop({ code: GOING_AWAY, timeoutMs: stopTimeoutMs, spreadMs: 0, gently: false })
      throw error
    } finally {
      this.#starting = undefined
    }
  }

  /** Has connections that come from now on begin with other certificates. */
  reloadTls(tls: TlsMaterial): void {
    this.#options.launcher.reloadTls(tls)
    for (const slot of this.#options.slots) slot.process?.reloadTls(tls)
  }

  /**
   * Lets the connections that are there end by themselves, for `limitMs` or until `hurry` is called; then goes on as
   * `stop`. A shard whose last connection has ended ends at once. Nothing must be handed over any more.
   */
  async drain(limitMs: number, stop: Stop): Promise<void> {
    this.#retire()
    const endings: Promise<unknown>[] = []
    for (const slot of this.#options.slots) {
      if (slot.process === undefined) continue
      endings.push(slot.process.ended)
      if (slot.state === 'ready') slot.process.drain()
      else slot.process.kill()
      slot.state = 'stopping'
    }
    const hurried = new Promise<void>(resolve => {
      this.#hurry = resolve
    })
    await within(limitMs, Promise.race([Promise.all(endings), hurried]))
    await this.stop(stop)
  }

  /** Whoever drains is patient no more. */
  hurry(): void {
    this.#hurry()
  }

  /**
   * Asks all shards to close their connections, and resolves when all have ended, at the latest a moment after
   * `spreadMs` and `timeoutMs`. May be called again, in more of a hurry.
   */
  async stop(stop: Stop): Promise<void> {
    this.#retire()
    this.#options.launcher.beginClose()
    const endings: Promise<unknown>[] = []
    for (const slot of this.#options.slots) {
      const { process } = slot
      if (process === undefined) continue
      endings.push(process.ended)
      // One that starts hears of it when it has started, if that takes but a moment: it need not be cut then.
      process.stop(stop)
      if (slot.state === 'starting') setTimeout(() => process.kill(), GRACE_MS).unref()
      slot.state = 'stopping'
    }
    await within(stop.spreadMs + stop.timeoutMs + GRACE_MS, Promise.all(endings))
    await this.#end()
  }

  /** Terminates what is left. A thread that is inside a blocking system call is not waited for. */
  async #end(): Promise<void> {
    const { slots, launcher } = this.#options
    const left = slots.map(slot => slot.process).filter(process => process !== undefined)
    for (const process of left) process.kill()
    const gone = Promise.all(left.map(process => process.ended)).then(() => launcher.close())
    await within(GRACE_MS, gone)
    for (const slot of slots) slot.state = 'stopped'
  }

  #retire(): void {
    this.#ending = true
    for (const wait of this.#waits) clearTimeout(wait)
    this.#waits.clear()
  }

  #begin(slot: ShardSlot): void {
    const { launcher, startTimeoutMs } = this.#options
    const process = slot.begin(ledger => launcher.launch(slot.index, ledger))
    let late: ShardError | undefined
    let readyAt: number | undefined
    const limit = setTimeout(() => {
      const text = `shard ${slot.index} was not ready after ${startTimeoutMs} ms (startTimeoutMs)`
      late = new ShardError('ERR_SHARD_START_TIMEOUT', text)
      process.kill()
    }, startTimeoutMs)

    const awaitReady = async () => {
      await process.ready
      clearTimeout(limit)
      if (this.#ending || late !== undefined || slot.process !== process) return
      slot.state = 'ready'
      readyAt = performance.now()
      if (this.#starting === undefined) this.#options.onReplaced(slot.index)
      else this.#starting.ready(slot)
    }
    const awaitEnd = async () => {
      const failure = await process.ended
      clearTimeout(limit)
      slot.end()
      slot.state = this.#ending ? 'stopped' : 'waiting'
      // Nobody is to wait for the start of what was asked to stop.
      const stopped = new ShardError('ERR_SHARD_ENDED', `shard ${slot.index} was stopped`)
      const error = late ?? failure ?? (this.#starting && stopped)
      if (error !== undefined) this.#failed(slot, error, readyAt)
    }
    void awaitReady()
    void awaitEnd()
  }

  #failed(slot: ShardSlot, error: ShardError, readyAt: number | undefined): void {
    if (this.#starting !== undefined) {
      this.#starting.failed(error)
      return
    }
    // Whoever ends the shards terminates them too, when the time is over.
    if (this.#ending && error.code === 'ERR_SHARD_KILLED') return
    slot.countCrash()
    this.#options.onFailure(error, slot.index, !this.#ending)
    if (this.#ending) return

    const { firstMs, maxMs, healthyMs } = this.#options.backoff
    const wasHealthy = readyAt !== undefined && performance.now() - readyAt >= healthyMs
    const delayMs = wasHealthy ? firstMs : this.#delaysMs[slot.index]
    this.#delaysMs[slot.index] = Math.min(delayMs * 2, maxMs)
    const wait = setTimeout(() => {
      this.#waits.delete(wait)
      slot.countRestart()
      this.#begin(slot)
    }, delayMs)
    this.#waits.add(wait)
  }
}

/** Waits for `promise`, which never rejects, `limitMs` at most. */
async function within(limitMs: number, promise: Promise<unknown>): Promise<void> {
  const cancel = new AbortController()
  await Promise.race([promise, sleep(limitMs, undefined, { signal: cancel.signal }).catch(() => {})])
  cancel.abort()
}
