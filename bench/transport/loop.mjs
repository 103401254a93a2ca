// A shard's own epoll descriptor: which sockets are watched, and what happens when some are ready.
import {
  addressOf,
  close,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EVENT_DATA,
  EVENT_WORDS,
  epollControl,
  epollCreate,
  epollWait,
  fixedInt32Array,
} from './kernel.mjs'

/**
 * Sockets served before Node's own loop (timers, the application's I/O) has its turn again. The kernel hands out the
 * ready ones in rotation, so nobody starves.
 */
const MOST_EVENTS = 256

/** @typedef {import('./epoll-transport.mjs').EpollTransport} EpollTransport */
/** @typedef {{ ref(): void, unref(): void, close(): void }} Waker see wake.mjs */

export class Loop {
  /** All of the codec's memory, and where it is. */
  memory
  base
  /** Where `recv` puts what arrives, and how much of it at most. */
  arena
  arenaLength
  registry
  #epoll = epollCreate(EPOLL_CLOEXEC)
  #events = fixedInt32Array(MOST_EVENTS * EVENT_WORDS)
  #eventsAddress = addressOf(this.#events)
  #control = fixedInt32Array(EVENT_WORDS)
  #controlAddress = addressOf(this.#control)
  /** @type {(EpollTransport | undefined)[]} by the index that their events bear */
  #transports = []
  #freeIndexes = []
  /** Distinguishes the users of an index: events of one that is gone are not its successor's. */
  #nextSerial = 1
  /** @type {EpollTransport[]} destroyed, not told so yet */
  #ended = []
  #endedScheduled = false
  #waker
  #size = 0
  #onExit = () => {
    for (const transport of this.#transports) transport?.abandon()
  }

  /**
   * @param {import('../../dist/codec/codec.js').Codec} codec
   * @param {{ ended(admission: number): void }} registry
   * @param {(epoll: number, wake: () => boolean) => Waker} createWaker
   */
  constructor(codec, registry, createWaker) {
    if (this.#epoll < 0) throw new Error('no epoll descriptor could be had')
    this.memory = codec.memory
    this.base = addressOf(codec.memory)
    this.arena = this.base + codec.readOffset
    this.arenaLength = codec.readArena.length
    this.registry = registry
    this.#waker = createWaker(this.#epoll, () => this.#dispatch())
    this.#waker.unref()
    // Nobody else knows these descriptors: unlike a net.Socket's they do not end with the thread by themselves. (And
    // they do not when the thread is terminated from outside: see README.md.)
    process.once('exit', this.#onExit)
  }

  /**
   * Begins to watch `fd`.
   *
   * @throws when it cannot be watched; it is the caller's then
   */
  add(transport, fd, mask) {
    const index = this.#freeIndexes.pop() ?? this.#transports.length
    transport.index = index
    transport.serial = this.#nextSerial
    this.#nextSerial = (this.#nextSerial + 1) | 0
    if (this.watch(transport, fd, 0, mask) < 0) {
      this.#freeIndexes.push(index)
      throw new Error(`descriptor ${fd} cannot be watched`)
    }
    this.#transports[index] = transport
    if (this.#size++ === 0) this.#waker.ref()
  }

  /**
   * Changes what is waited for. What nothing is waited for is not watched at all: hang-ups are always told, again and
   * again.
   */
  watch(transport, fd, before, after) {
    const operation = before === 0 ? EPOLL_CTL_ADD : after === 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD
    const control = this.#control
    control[0] = after
    control[EVENT_DATA] = transport.index
    control[EVENT_DATA + 1] = transport.serial
    return epollControl(this.#epoll, operation, fd, this.#controlAddress)
  }

  /**
   * Forgets a transport; its descriptor is the caller's. It is taken out of the epoll descriptor although it may be
   * closed next: as long as somebody has a duplicate of it (the accepting thread has, for a moment) closing does not.
   */
  remove(transport, fd, mask) {
    if (mask !== 0) this.watch(transport, fd, mask, 0)
    this.#transports[transport.index] = undefined
    this.#freeIndexes.push(transport.index)
    if (--this.#size === 0) this.#waker.unref()
  }

  /** Tells the owner of a removed transport, in a callback of its own. */
  tellEnd(transport) {
    this.#ended.push(transport)
    if (this.#endedScheduled) return
    this.#endedScheduled = true
    setImmediate(tellEnds, this)
  }

  /** @internal */
  tellEnds() {
    this.#endedScheduled = false
    const ended = this.#ended
    this.#ended = []
    for (const transport of ended) transport.tellEnd()
  }

  close() {
    process.off('exit', this.#onExit)
    this.#waker.close()
    close(this.#epoll)
  }

  /** @returns whether there was anything to do */
  #dispatch() {
    const events = this.#events
    const count = epollWait(this.#epoll, this.#eventsAddress, MOST_EVENTS, 0)
    for (let i = 0, at = 0; i < count; i++, at += EVENT_WORDS) {
      const transport = this.#transports[events[at + EVENT_DATA]]
      // One served before may have ended it, and another may have taken its place.
      if (transport === undefined || transport.serial !== events[at + EVENT_DATA + 1]) continue
      transport.ready(events[at])
    }
    return count > 0
  }
}

function tellEnds(loop) {
  loop.tellEnds()
}
