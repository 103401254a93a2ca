import { countLimit, Histogram, observe } from '../ledger.js'
import { Timed } from './deadlines.js'
import type { Environment } from './environment.js'
import { isGivenUp, isPingDue, nextLook } from './liveness.js'

/** Whose peer is watched. */
export interface Watched {
  /** Neither side has ended the connection, or begun to. */
  readonly isOpen: boolean
  /** Nothing that the peer sends is looked at for now, so that it can't show that it is there. */
  readonly isDeaf: boolean
  /** Whether the kernel still knows a peer. */
  isConnected(): boolean
  /** Sends a Ping without a payload. */
  sendPing(): void
  terminate(): void
}

/**
 * The deadlines of one connection: a silent peer is pinged, and dropped when it stays silent; the closing handshake has
 * its time.
 */
export class Watch extends Timed {
  readonly #environment: Environment
  readonly #owner: Watched
  /** The tick of the last byte from the peer, or taken by it. */
  #activeTick: number
  /** The peer took what waited for it, since the closing handshake's deadline was set. */
  #progressed = false
  /** A Ping of the server's own is out. */
  #pinged = false
  /** When the Ping that waits for its Pong was sent, in microseconds of the shard, modulo 2^32; 0 for none. */
  #pingedUs = 0

  constructor(environment: Environment, owner: Watched) {
    super()
    this.#environment = environment
    this.#owner = owner
    this.#activeTick = environment.deadlines.now
  }

  /** A byte came from the peer; or it is listened to again, and nobody looked whether it was there. */
  heard(): void {
    this.#activeTick = this.#environment.deadlines.now
    this.#pinged = false
  }

  /** The peer has taken what waited for it. */
  taken(): void {
    this.#activeTick = this.#environment.deadlines.now
    this.#progressed = true
  }

  /** The owner is deaf from now on: when a Pong will be delivered says nothing about the peer. */
  deafened(): void {
    this.#pingedUs = 0
  }

  /** A Pong without a payload: the one to the server's own Ping, if that is out. */
  pong(): void {
    if (this.#pingedUs === 0) return
    const us = ((this.#nowUs | 1) - this.#pingedUs) >>> 0
    this.#pingedUs = 0
    observe(this.#environment.counters, Histogram.PING, us / 1e6)
  }

  armIdle(): void {
    const { options, deadlines } = this.#environment
    const idleMs = this.#idleMs
    const lookMs = nextLook(options, idleMs, this.#pinged) - idleMs
    if (lookMs < Number.POSITIVE_INFINITY) deadlines.set(this, Math.max(lookMs, deadlines.tickMs))
  }

  /** The closing handshake, or what is left of it, has this long (RFC 6455 7.1.1). */
  armClose(): void {
    const { deadlines, options } = this.#environment
    this.#progressed = false
    deadlines.set(this, options.closeTimeoutMs)
  }

  /** The connection has ended. */
  end(): void {
    this.#environment.deadlines.drop(this)
  }

  expire(): void {
    const { options, deadlines } = this.#environment
    const owner = this.#owner
    if (!owner.isOpen) {
      // A peer that reads gets all that waits for it; what the application does not hear yet can't be answered in time.
      const goesOn = (this.#progressed || owner.isDeaf) && owner.isConnected()
      if (goesOn) return this.armClose()
      countLimit(this.#environment.counters, 'close_timeout')
      return owner.terminate()
    }
    const idleMs = this.#idleMs
    if (owner.isDeaf) {
      // A peer that the application does not listen to cannot show that it is there; that it is not the kernel knows,
      // at the latest when the Ping was refused.
      if (!owner.isConnected()) return owner.terminate()
      if (!this.#pinged && options.idlePingMs > 0) owner.sendPing()
      this.#pinged = true
    } else if (isPingDue(options, idleMs, this.#pinged)) {
      this.#pinged = true
      // The peer has the full time to answer, however late the Ping is since this thread was busy.
      this.#activeTick = deadlines.now - Math.floor(options.idlePingMs / deadlines.tickMs)
      this.#pingedUs = this.#nowUs | 1
      owner.sendPing()
    } else if (isGivenUp(options, idleMs)) {
      countLimit(this.#environment.counters, 'idle_timeout')
      return owner.terminate()
    }
    this.armIdle()
  }

  /** Small enough, like this, to be no object of its own. */
  get #nowUs(): number {
    return (this.#environment.deadlines.elapsedMs * 1000) | 0
  }

  get #idleMs(): number {
    const { deadlines } = this.#environment
    return this.#owner.isDeaf ? 0 : (deadlines.now - this.#activeTick) * deadlines.tickMs
  }
}
