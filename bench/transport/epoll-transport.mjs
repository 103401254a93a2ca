// A socket as a descriptor and nothing else: no stream, no libuv handle.
import { Socket } from 'node:net'
import {
  addressOf,
  close,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  MSG_DONTWAIT,
  peerOf,
  recv,
  SEND_FLAGS,
  SHUT_WR,
  send,
  sendmsg,
  shutdown,
  wouldWait,
} from './kernel.mjs'

/** Full reads of one socket in a row, before the next socket has its turn. */
const MOST_READS = 4
/** Parts of one gathered write. */
const MOST_PARTS = 64
/** Bytes of one part in one call; more than any socket buffer takes. */
const MOST_BYTES = 2 ** 30

/** iovec: address and length, 64 bits each. */
const vector = new Uint32Array(new ArrayBuffer(MOST_PARTS * 16))
/** msghdr: name, its length, vector, count, control, its length, flags. */
const message = new BigUint64Array(new ArrayBuffer(56))
message[2] = BigInt(addressOf(vector))
const messageAddress = addressOf(message)

/** @implements {import('../../dist/connection/transport.js').Transport} */
export class EpollTransport {
  owner
  /** Of the loop. */
  index = 0
  serial = 0
  #loop
  admission
  /**
   * Negative from the moment the transport ends: the number is somebody else's as soon as it is closed, so that it is
   * forgotten first. Every use of it is in this file.
   */
  #fd
  /** What is waited for, as the kernel knows it. */
  #mask = EPOLLIN
  #paused = false
  #peerEnded = false
  /** `end` was called; FIN follows what is being written. */
  #ending = false
  /** What `writeLater` was given, and the kernel has not taken. */
  #pending

  /**
   * @param {import('./loop.mjs').Loop} loop
   * @param {number} fd
   * @throws when `fd` is no socket; it then stays the caller's
   */
  constructor(loop, fd, owner, admission) {
    this.owner = owner
    this.#loop = loop
    this.#fd = fd
    this.admission = admission
    loop.add(this, fd, EPOLLIN)
  }

  get remoteAddress() {
    return this.#fd < 0 ? '' : peerOf(this.#fd).address
  }

  get remotePort() {
    return this.#fd < 0 ? 0 : peerOf(this.#fd).port
  }

  writeNow(bytes, start, end) {
    if (this.#fd < 0) return 0
    const loop = this.#loop
    const base = bytes === loop.memory ? loop.base : addressOf(bytes)
    return this.#taken(send(this.#fd, base + start, end - start, SEND_FLAGS))
  }

  writePartsNow(parts) {
    if (this.#fd < 0) return 0
    const { memory, base } = this.#loop
    const count = Math.min(parts.length, MOST_PARTS)
    for (let i = 0; i < count; i++) {
      const part = parts[i]
      const address = part.buffer === memory.buffer ? base + part.byteOffset : addressOf(part)
      vector[i * 4] = address
      vector[i * 4 + 1] = address / 2 ** 32
      vector[i * 4 + 2] = Math.min(part.length, MOST_BYTES)
      // The kernel must not go on behind a part that it did not see whole.
      if (part.length > MOST_BYTES) return this.writeNow(part, 0, MOST_BYTES)
    }
    message[3] = BigInt(count)
    return this.#taken(sendmsg(this.#fd, messageAddress, SEND_FLAGS))
  }

  writeLater(bytes) {
    if (this.#fd < 0) return
    this.#pending = bytes
    this.#watch()
  }

  isConnected() {
    return this.remoteAddress !== ''
  }

  pause() {
    this.#paused = true
    this.#watch()
  }

  resume() {
    this.#paused = false
    this.#watch()
  }

  end() {
    if (this.#ending || this.#fd < 0) return
    this.#ending = true
    if (this.#pending === undefined) this.#finish()
  }

  detach(bytes) {
    const loop = this.#loop
    const fd = this.#leave()
    const socket = new Socket({ fd, allowHalfOpen: true })
    socket.on('close', () => loop.registry.ended(this.admission))
    socket.unshift(bytes)
    return socket
  }

  secure() {
    return false
  }

  reattach() {
    throw new Error('this experiment has no WebSocket after HTTP on one connection')
  }

  destroy() {
    if (this.#fd < 0) return
    close(this.#leave())
    this.#loop.tellEnd(this)
  }

  /** @internal the loop's: some of EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP */
  ready(events) {
    if (this.#pending !== undefined && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0) this.#writePending()
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) !== 0) this.#read()
  }

  /** @internal the loop's: `destroy` was called before */
  tellEnd() {
    this.owner.closed()
    this.#loop.registry.ended(this.admission)
  }

  /** @internal the thread ends, and nobody is to be told */
  abandon() {
    close(this.#fd)
  }

  #read() {
    const { arena, arenaLength } = this.#loop
    for (let reads = 0; reads < MOST_READS; reads++) {
      // The owner may have paused or ended it.
      if (this.#fd < 0 || this.#paused || this.#peerEnded) return
      const length = recv(this.#fd, arena, arenaLength, MSG_DONTWAIT)
      if (length > 0) this.owner.receive(length)
      else if (length === 0) return this.#readEnd()
      else if (!wouldWait()) return this.destroy()
      if (length < arenaLength) return
    }
  }

  #readEnd() {
    this.#peerEnded = true
    this.#watch()
    this.owner.receiveEnd()
    if (this.#ending && this.#pending === undefined) this.destroy()
  }

  #writePending() {
    const bytes = this.#pending
    const taken = this.writeNow(bytes, 0, bytes.length)
    if (taken < bytes.length) {
      if (taken > 0) this.#pending = bytes.subarray(taken)
      return
    }
    this.#pending = undefined
    this.#watch()
    if (this.#ending) this.#finish()
    this.owner.written()
  }

  /** Sends FIN; when both ends have, there is nothing left to wait for. */
  #finish() {
    if (shutdown(this.#fd, SHUT_WR) < 0 || this.#peerEnded) this.destroy()
  }

  #taken(result) {
    if (result >= 0) return result
    // Anything but a full buffer is the connection's end; whoever called is told by `closed`, not from within.
    if (!wouldWait()) this.destroy()
    return 0
  }

  #watch() {
    if (this.#fd < 0) return
    const reading = this.#paused || this.#peerEnded ? 0 : EPOLLIN
    const mask = this.#pending === undefined ? reading : reading | EPOLLOUT
    if (mask === this.#mask) return
    this.#loop.watch(this, this.#fd, this.#mask, mask)
    this.#mask = mask
  }

  /** @returns the descriptor, which is the caller's and unknown here from now on */
  #leave() {
    const fd = this.#fd
    this.#fd = -1
    this.#pending = undefined
    this.#loop.remove(this, fd, this.#mask)
    return fd
  }
}
