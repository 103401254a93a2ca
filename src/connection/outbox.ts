import { headerLength, MAX_HEADER_LENGTH, writeServerHeader } from '../codec/encode.js'
import { Counter } from '../ledger.js'
import { Opcode } from '../rfc6455.js'
import { Backlog } from './backlog.js'
import type { Transport } from './transport.js'
import type { Turn } from './turn.js'

/** Binary messages of more bytes than this are not copied into the arena but written from where they are. */
const LARGE_PAYLOAD = 16 * 1024
/** A connection that has this many bytes in the arena writes them without waiting for the end of the turn. */
const LARGE_TURN = 64 * 1024
/** Parts of one gathered write; well below what the kernel takes (IOV_MAX). */
const MOST_PARTS = 64

export interface OutboxOwner {
  /** The kernel does not take any more: bytes wait for the peer. */
  outputWaits(): void
  /** The peer reads: some of what waited is taken. */
  outputTaken(): void
}

/**
 * The way out of one connection: frames of this turn in the shard's arena, and behind them, when the peer reads
 * slowly, a backlog. It encodes and writes; how much may wait is its owner's business.
 */
export class Outbox {
  readonly #owner: OutboxOwner
  readonly #transport: Transport
  readonly #turn: Turn
  readonly #counters: Float64Array
  /** Where this connection's bytes of this turn are in the arena. */
  #start = 0
  #end = 0
  /** `#end` where the next frame may follow in the arena unless somebody else's does, otherwise -1. */
  #tail = -1
  /** The turn will call `flush`. */
  #listed = false
  /** The kernel refused bytes: nothing is written before `written()`. */
  #waiting = false
  #inFlight = 0
  #ending = false
  #backlog: Backlog | undefined
  /** What of it is in the shard's `SEND_QUEUE`. */
  #reported = 0

  constructor(owner: OutboxOwner, transport: Transport, turn: Turn, counters: Float64Array) {
    this.#owner = owner
    this.#transport = transport
    this.#turn = turn
    this.#counters = counters
  }

  /** Bytes accepted that the kernel has not taken. */
  get bufferedAmount(): number {
    return this.#end - this.#start + this.#inFlight + (this.#backlog === undefined ? 0 : this.#backlog.length)
  }

  /** Whether bytes wait because the peer does not read. */
  get isWaiting(): boolean {
    return this.#waiting
  }

  /** Sends text as one frame. */
  sendText(text: string): void {
    const turn = this.#turn
    // Three bytes of UTF-8 for each UTF-16 unit are the most there can be.
    const most = text.length * 3 + MAX_HEADER_LENGTH
    if (most > turn.capacity && Buffer.byteLength(text) + MAX_HEADER_LENGTH > turn.capacity) {
      return this.sendBytes(Opcode.TEXT, Buffer.from(text), true)
    }
    if (!this.#place(Math.min(most, turn.capacity))) return this.#queueText(text)
    const memory = turn.memory
    const start = this.#end
    // As if it were ASCII; when it is not and its length takes a longer form, the payload is moved.
    const guess = headerLength(text.length)
    const payload = start + guess
    const length = memory.write(text, payload)
    const header = headerLength(length)
    if (header !== guess) memory.copyWithin(start + header, payload, payload + length)
    writeServerHeader(memory, start, Opcode.TEXT, length)
    this.#placed(header + length)
  }

  /**
   * Sends bytes as one frame.
   *
   * @param owned nobody else changes the bytes any more, so they may be kept instead of being copied
   */
  sendBytes(opcode: number, bytes: Uint8Array, owned = false): void {
    const length = bytes.length
    if (length > LARGE_PAYLOAD) return this.#sendLarge(opcode, bytes, owned)
    const header = headerLength(length)
    if (this.#place(header + length)) {
      const payload = writeServerHeader(this.#turn.memory, this.#end, opcode, length)
      this.#turn.memory.set(bytes, payload)
      this.#placed(header + length)
    } else {
      const target = this.#queue(header + length)
      target.set(bytes, writeServerHeader(target, 0, opcode, length))
      this.#queued()
    }
  }

  /** Sends a control frame whose payload is a part of `source`, which may be the codec's memory. */
  sendControl(opcode: number, source: Buffer, start: number, end: number): void {
    const length = end - start + 2
    if (this.#place(length)) {
      source.copy(
        this.#turn.memory,
        writeServerHeader(this.#turn.memory, this.#end, opcode, end - start),
        start,
        end,
      )
      this.#placed(length)
    } else {
      const target = this.#queue(length)
      source.copy(target, writeServerHeader(target, 0, opcode, end - start), start, end)
      this.#queued()
    }
  }

  /** Sends the head of an HTTP response, of latin1 characters. */
  sendHead(head: string): void {
    if (this.#place(head.length)) {
      this.#turn.memory.write(head, this.#end, 'latin1')
      this.#placed(head.length)
    } else {
      this.#queue(head.length).write(head, 0, 'latin1')
      this.#queued()
    }
  }

  /** TCP ends (FIN) as soon as everything is out. */
  endWhenEmpty(): void {
    if (this.bufferedAmount === 0) this.#transport.end()
    else this.#ending = true
  }

  /** The turn ends: write. */
  flush(): void {
    this.#listed = false
    this.#write()
  }

  /** The transport has written what it was given to write later. */
  written(): void {
    this.#inFlight = 0
    this.#waiting = false
    this.#write()
    this.#report()
    this.#owner.outputTaken()
  }

  /** The transport has ended: what is here will never leave. */
  discard(): void {
    this.#start = this.#end = 0
    this.#tail = -1
    this.#inFlight = 0
    this.#backlog = undefined
    this.#report()
    // Nothing is written any more, and nothing is put into the arena.
    this.#waiting = true
  }

  /** Whether `length` bytes can go to `#end` in the arena. */
  #place(length: number): boolean {
    const turn = this.#turn
    // Every message of a turn but the first.
    if (this.#tail === turn.position && turn.hasRoom(length)) return true
    return this.#placeAnew(length)
  }

  /** As `#place`, with all the questions. A stretch that the arena can't hold (an application's headers) never goes there. */
  #placeAnew(length: number): boolean {
    if (
      length > this.#turn.capacity ||
      this.#waiting ||
      (this.#backlog !== undefined && this.#backlog.length > 0)
    )
      return false
    const turn = this.#turn
    if (!turn.reserve(length)) return false
    // A full arena was written just now, and the kernel may have refused our part of it.
    if (this.#waiting) return false
    if (this.#start === this.#end) this.#start = this.#end = turn.position
    // Another connection's frames follow ours.
    else if (this.#end !== turn.position) return false
    this.#list()
    return true
  }

  #placed(length: number): void {
    this.#turn.advance(length)
    this.#tail = this.#end += length
    this.#counters[Counter.BYTES_OUT] = this.#counters[Counter.BYTES_OUT] + length
    if (this.#end - this.#start < LARGE_TURN) return
    const start = this.#start
    this.#write()
    // Nobody's bytes follow, so the arena is free again from where ours began.
    this.#turn.retreat(start)
  }

  /** What waits for the peer has changed. Not for what leaves at the end of the turn: that costs nothing. */
  #report(): void {
    const amount = this.bufferedAmount
    const counters = this.#counters
    counters[Counter.SEND_QUEUE] = counters[Counter.SEND_QUEUE] + amount - this.#reported
    this.#reported = amount
  }

  #list(): void {
    if (this.#listed) return
    this.#listed = true
    this.#turn.add(this)
  }

  /** Room for `length` bytes behind everything else; `#queued` follows once they are filled in. */
  #queue(length: number): Buffer {
    this.#backlog ??= new Backlog()
    this.#tail = -1
    this.#counters[Counter.BYTES_OUT] = this.#counters[Counter.BYTES_OUT] + length
    if (!this.#waiting) this.#list()
    return this.#backlog.append(length)
  }

  /** As for the arena: what is much does not wait for the end of the turn, and the kernel's refusal is noticed. */
  #queued(): void {
    if (this.#waiting) this.#report()
    else if ((this.#backlog as Backlog).length >= LARGE_TURN) this.#write()
  }

  #queueText(text: string): void {
    const length = Buffer.byteLength(text)
    const target = this.#queue(headerLength(length) + length)
    target.write(text, writeServerHeader(target, 0, Opcode.TEXT, length))
    this.#queued()
  }

  /** Header and payload leave in one gathered write, together with what is before them; at once if they are borrowed. */
  #sendLarge(opcode: number, bytes: Uint8Array, owned: boolean): void {
    const header = headerLength(bytes.length)
    writeServerHeader(this.#queue(header), 0, opcode, bytes.length)
    this.#counters[Counter.BYTES_OUT] = this.#counters[Counter.BYTES_OUT] + bytes.length
    const backlog = this.#backlog as Backlog
    const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    if (owned) {
      backlog.push(payload)
      this.#queued()
    } else if (this.#waiting) {
      backlog.copy(payload, 0, payload.length)
      this.#report()
    } else {
      backlog.push(payload)
      this.#write(true)
    }
  }

  /** @param borrowed the backlog's last chunk is the caller's: what the kernel does not take of it is copied */
  #write(borrowed = false): void {
    if (this.#waiting) return
    const start = this.#start
    const end = this.#end
    this.#start = this.#end = 0
    this.#tail = -1
    const backlog = this.#backlog
    if (start !== end && !this.#writeArena(start, end, backlog, borrowed)) return
    if (backlog !== undefined && !this.#writeBacklog(backlog, borrowed)) return
    if (!this.#ending) return
    this.#ending = false
    this.#transport.end()
  }

  /**
   * Writes the arena from `start` to `end`, and as much of the backlog behind it as goes into the same call.
   *
   * @returns whether the kernel took all that it was given
   */
  #writeArena(start: number, end: number, backlog: Backlog | undefined, borrowed: boolean): boolean {
    const { memory } = this.#turn
    if (backlog === undefined || backlog.length === 0) {
      const taken = this.#transport.writeNow(memory, start, end)
      if (taken === end - start) return true
      this.#backlog ??= new Backlog()
      this.#backlog.copy(memory, start + taken, end)
      this.#wait()
      return false
    }
    const parts = [memory.subarray(start, end), ...backlog.peek(MOST_PARTS - 1)]
    let length = 0
    for (const part of parts) length += part.length
    const taken = this.#transport.writePartsNow(parts)
    if (taken < end - start) backlog.unshift(Buffer.from(memory.subarray(start + taken, end)))
    else backlog.drop(taken - (end - start))
    if (taken === length) return true
    this.#wait(borrowed)
    return false
  }

  /** @returns whether the kernel took all of it */
  #writeBacklog(backlog: Backlog, borrowed: boolean): boolean {
    while (backlog.length > 0) {
      const parts = backlog.peek(MOST_PARTS)
      let length = 0
      for (const part of parts) length += part.length
      const taken = this.#transport.writePartsNow(parts)
      backlog.drop(taken)
      if (taken < length) {
        this.#wait(borrowed)
        return false
      }
    }
    this.#backlog = undefined
    return true
  }

  /** The kernel takes no more: the transport is told to write the oldest piece when it does. */
  #wait(borrowed = false): void {
    const backlog = this.#backlog as Backlog
    if (borrowed) backlog.ownLast()
    this.#waiting = true
    const piece = backlog.takePiece(LARGE_TURN)
    this.#inFlight = piece.length
    this.#report()
    this.#transport.writeLater(piece)
    this.#owner.outputWaits()
  }
}
