import { StateError } from '../errors.js'
import { CloseCode } from '../rfc6455.js'
import type { Stop } from '../stop.js'
import type { TlsMaterial } from '../tls-material.js'
import type { ShardLauncher } from './shard-process.js'
import type { ShardSlot } from './shard-slot.js'
import { Supervisor, type SupervisorOptions } from './supervisor.js'

/**
 * Older generations that may have connections left beside each other. With one more the oldest gets no more time: its
 * connections are closed.
 */
export const MAX_DRAINING = 2

/** A row of slots for the generation that takes connections, one for that which starts, and those of the older ones. */
export const ROWS = MAX_DRAINING + 2

export interface GenerationsOptions
  extends Pick<
    SupervisorOptions,
    'startTimeoutMs' | 'stopTimeoutMs' | 'backoff' | 'onReplaced' | 'onFailure'
  > {
  /** `ROWS` rows of as many slots as there are shards; or one, where nothing can be reloaded. */
  rows: readonly (readonly ShardSlot[])[]
  /** @param generation its number, from 0 */
  createLauncher: (generation: number) => ShardLauncher
  /** Milliseconds that the connections of an older generation get to end by themselves. */
  drainMs: number
  /** Milliseconds over which those that are left are closed. */
  spreadMs: number
  /** New shards take the connections. */
  onReload: (generation: number) => void
  /** They do not start, and the old ones go on. */
  onReloadFailure: (error: unknown) => void
  /** All shards of an older generation have ended. */
  onDrained: (generation: number) => void
}

interface Generation {
  readonly number: number
  readonly slots: readonly ShardSlot[]
  readonly supervisor: Supervisor
}

/** One that takes no more connections. */
interface OldGeneration extends Generation {
  /** Resolves when its shards have ended, or can't be ended. */
  readonly ended: Promise<void>
}

/**
 * All shards of a server: those that take its connections, started together, and after a reload those from before, for
 * as long as these have connections.
 */
export class Generations {
  readonly #options: GenerationsOptions
  /** The slots of shards that take no more connections. */
  #oldSlots: readonly ShardSlot[] = []
  #current: Generation
  /** The oldest first. */
  #old: OldGeneration[] = []
  #starting: Generation | undefined
  /** The reload that goes on, and the one that has been asked for meanwhile. */
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined
  /** How many there were, those that did not start included. */
  #count = 0
  #stopping = false

  constructor(options: GenerationsOptions) {
    this.#options = options
    this.#current = this.#create(options.rows[0])
  }

  /** The slots of the shards that take connections, by index. */
  get slots(): readonly ShardSlot[] {
    return this.#current.slots
  }

  /** Those of older generations. */
  get oldSlots(): readonly ShardSlot[] {
    return this.#oldSlots
  }

  /** Starts the first generation. See `Supervisor.start`. */
  start(): Promise<void> {
    return this.#current.supervisor.start()
  }

  /** See `Supervisor.reloadTls`. */
  reloadTls(tls: TlsMaterial): void {
    for (const { supervisor } of this.#all) supervisor.reloadTls(tls)
  }

  /**
   * Starts new shards, and sends the connections to them once all are ready. A call while another is at it begins after
   * that, since the application may have changed in between; further ones have part in it.
   *
   * @throws ShardError when one of them fails: all of them have ended then, and nothing has changed
   * @throws StateError (`ERR_RELOAD`) when the server closes, or older generations can't be ended
   */
  reload(): Promise<void> {
    if (this.#next !== undefined) return this.#next
    if (this.#running === undefined) return this.#begin()
    const again = (): Promise<void> => {
      this.#next = undefined
      return this.#begin()
    }
    this.#next = this.#running.then(again, again)
    return this.#next
  }

  /** Stops all shards of all generations. See `Supervisor.stop`. */
  async stop(stop: Stop): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#all.map(({ supervisor }) => supervisor.stop(stop)))
  }

  get #all(): readonly Generation[] {
    return [this.#current, ...this.#old, this.#starting].filter(generation => generation !== undefined)
  }

  #begin(): Promise<void> {
    this.#running = this.#reload().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #reload(): Promise<void> {
    try {
      await this.#replace()
    } catch (error) {
      this.#options.onReloadFailure(error)
      throw error
    }
  }

  async #replace(): Promise<void> {
    const row = await this.#awaitRow()
    const generation = this.#create(row)
    this.#starting = generation
    try {
      await generation.supervisor.start()
    } catch (error) {
      throw this.#stopping ? closing() : error
    } finally {
      this.#starting = undefined
    }
    // It was among those that were stopped.
    if (this.#stopping) throw closing()
    const before = this.#current
    this.#current = generation
    this.#retire(before)
    this.#options.onReload(generation.number)
  }

  #retire(generation: Generation): void {
    const { drainMs, stopTimeoutMs, spreadMs, onDrained } = this.#options
    const stop = { code: CloseCode.SERVICE_RESTART, timeoutMs: stopTimeoutMs, spreadMs, gently: true }
    const ended = generation.supervisor.drain(drainMs, stop).then(() => {
      this.#setOld(this.#old.filter(({ number }) => number !== generation.number))
      onDrained(generation.number)
    })
    this.#setOld([...this.#old, { ...generation, ended }])
    if (this.#old.length > MAX_DRAINING) this.#old[0].supervisor.hurry()
  }

  #setOld(old: OldGeneration[]): void {
    this.#old = old
    this.#oldSlots = old.flatMap(({ slots }) => slots)
  }

  /** A row that nobody uses; while the oldest generation is being closed to make room it is waited for. */
  async #awaitRow(): Promise<readonly ShardSlot[]> {
    let row = this.#freeRow()
    if (row === undefined) {
      await this.#old[0]?.ended
      row = this.#freeRow()
    }
    if (this.#stopping) throw closing()
    if (row === undefined) {
      throw new StateError(
        'ERR_RELOAD',
        'shards of earlier reloads can not be ended, since a system call blocks their threads: restart the process',
      )
    }
    return row
  }

  #freeRow(): readonly ShardSlot[] | undefined {
    const used = new Set(this.#all.map(({ slots }) => slots))
    return this.#options.rows.find(row => !used.has(row) && row.every(slot => slot.process === undefined))
  }

  #create(slots: readonly ShardSlot[]): Generation {
    const number = this.#count++
    const { createLauncher, startTimeoutMs, stopTimeoutMs, backoff, onReplaced, onFailure } = this.#options
    const launcher = createLauncher(number)
    const supervisor = new Supervisor({
      slots,
      launcher,
      startTimeoutMs,
      stopTimeoutMs,
      backoff,
      onReplaced,
      onFailure,
    })
    return { number, slots, supervisor }
  }
}

function closing(): StateError {
  return new StateError('ERR_RELOAD', 'the server closes')
}
