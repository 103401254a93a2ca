import { UNIX } from '../address.js'
import type { ClientRates } from '../client-rates.js'
import { type Board, count, DENIALS, PrimaryCounter } from '../ledger.js'
import { createOccasionalWarning, type OccasionalWarning } from '../log.js'
import { monotonicMs } from '../monotonic.js'
import type { ResolvedOptions } from '../serve-options.js'
import { closeHandle, type Peer, type TcpHandle } from '../tcp-handle.js'
import type { Admission } from './admission.js'
import { type Balancer, createBalancer } from './balance.js'
import type { Reporter } from './reporter.js'
import type { ShardSlot } from './shard-slot.js'
import { ANYBODY, createVisitors, type Visitor } from './visitor.js'

/** Where connections go. */
interface Destination {
  /** Those that take connections. */
  readonly slots: readonly ShardSlot[]
  /** Those that keep what they have. */
  readonly oldSlots: readonly ShardSlot[]
}

/** Where connections come in: the limits that are looked at before anything is read, and the choice of the shard. */
export class Entrance {
  readonly #options: ResolvedOptions
  readonly #counters: Board['primary']
  readonly #admission: Admission
  readonly #rates: ClientRates | undefined
  readonly #shards: Destination
  readonly #balance: Balancer
  readonly #needsAddress: boolean
  readonly #visitorFrom: (address: string) => Visitor
  readonly #warn: OccasionalWarning

  constructor(
    options: ResolvedOptions,
    counters: Board['primary'],
    admission: Admission,
    rates: ClientRates | undefined,
    shards: Destination,
    reporter: Reporter,
  ) {
    this.#options = options
    this.#counters = counters
    this.#admission = admission
    this.#rates = rates
    this.#shards = shards
    this.#balance = createBalancer(options.balance)
    this.#needsAddress =
      options.maxConnectionsPerIp > 0 || rates !== undefined || options.balance === 'client-address'
    this.#visitorFrom = createVisitors(options)
    this.#warn = createOccasionalWarning((text, facts) => reporter.warn(text, facts))
  }

  /** Takes an accepted connection: it goes to a shard, or is closed. */
  accept(handle: TcpHandle): void {
    count(this.#counters, PrimaryCounter.ACCEPTED)
    const { slots, oldSlots } = this.#shards
    let handshakes = 0
    for (const slot of slots) {
      slot.takeReleased()
      handshakes += slot.handshakes
    }
    for (const slot of oldSlots) {
      slot.takeReleased()
      handshakes += slot.handshakes
    }
    const address = this.#needsAddress ? addressOf(handle) : ''
    if (address === undefined) {
      this.#refuse('handoff')
      closeHandle(handle)
      return
    }
    const { key, counted, rated } = address === '' ? ANYBODY : this.#visitorFrom(address)
    const denial = this.#admission.denial(counted) ?? this.#haste(rated, handshakes)
    if (denial !== undefined) {
      this.#refuse(denial)
      this.#warnOfDenial(denial, address)
      closeHandle(handle)
      return
    }
    const slot = slots[this.#balance(slots, key)]
    if (slot === undefined) {
      this.#refuse('noShard')
      closeHandle(handle)
    } else if (!slot.handOver(handle, counted)) {
      this.#refuse('handoff')
    }
  }

  /** Which limit of what may come at a time is reached. */
  #haste(key: string, handshakes: number): 'maxHandshakes' | 'maxHandshakeRatePerIp' | undefined {
    // First: who takes all places must not save up for the next ones meanwhile.
    if (key !== '' && this.#rates?.take(key, monotonicMs()) === false) return 'maxHandshakeRatePerIp'
    return handshakes >= this.#options.maxHandshakes ? 'maxHandshakes' : undefined
  }

  #warnOfDenial(reason: Exclude<(typeof DENIALS)[number], 'noShard' | 'handoff'>, address: string): void {
    const text = `connections are closed as they come: ${reason} is ${this.#options[reason]}`
    const facts = { event: 'connection.denied', reason }
    if (reason === 'maxConnections' || reason === 'maxHandshakes') return this.#warn(text, facts)
    const advice =
      'if it is a proxy, list it in trustProxy; if many people share it, or it tests the load, allow more'
    this.#warn(`${text}, and ${address} goes beyond it: ${advice}`, { ...facts, remoteAddress: address })
  }

  #refuse(reason: (typeof DENIALS)[number]): void {
    count(this.#counters, PrimaryCounter.DENIED + DENIALS.indexOf(reason))
  }
}

/** The address of who is at the other end, `unix` for a Unix domain socket; undefined when it has gone. */
function addressOf(handle: TcpHandle): string | undefined {
  if (handle.getpeername === undefined) return UNIX
  const peer: Peer = {}
  return handle.getpeername(peer) === 0 ? peer.address : undefined
}
