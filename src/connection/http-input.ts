import { Duplex } from 'node:stream'
import type { Arrears, Debtor } from './arrears.js'
import { takeRead } from './http-stream.js'
import type { MemoryBudget } from './memory-budget.js'

/** What HTTP gets at a time, in bytes: some dozens of the shortest requests, which take it a millisecond or two. */
const PIECE = 2048
/** The same where there can be no request among it. */
const BODY_PIECE = 64 * 1024
/** Milliseconds in which it gets one after the other. */
const SLICE_MS = 1
/** What is read ahead of it, in bytes, and one read more. */
const MOST_AHEAD = 64 * 1024

const NOTHING: Buffer = Buffer.alloc(0)

/**
 * Has HTTP read from a stream piece by piece. Node's parser answers everything that it is given before anybody else of
 * the shard gets a word in, and takes the bytes from the socket itself, as many as there are: seconds of requests. So
 * what arrives waits here, and comes to it through the stream in the shard's `Arrears`. While the parser has paused
 * the stream, since its responses are not taken, or requests enough wait for their answers, it gets nothing at all.
 */
export class HttpInput implements Debtor {
  readonly #stream: Duplex
  readonly #arrears: Arrears
  readonly #memory: MemoryBudget
  /** What has come and is not the stream's yet. */
  #ahead = NOTHING
  /** FIN has come, behind what is ahead. */
  #isEnded = false
  /** The stream has got it. */
  #hasFinished = false
  /** Bytes that belong to the body of a request, whatever they are. */
  #bodyLeft = 0
  #isWithheld = false
  /** The stream has asked for more than it has got. It may have before we were there to hear it. */
  #isWanted = true
  #inArrears = false
  #isOver = false
  readonly #onClose = (): void => void this.#keep(NOTHING)

  /** What the stream holds already waits as well. */
  constructor(stream: Duplex, arrears: Arrears, memory: MemoryBudget) {
    this.#stream = stream
    this.#arrears = arrears
    this.#memory = memory
    // The stream is Node's, made and fed by its sockets, so that only the one object can be told to do otherwise.
    stream.push = chunk => this.#hold(chunk as Buffer | null)
    stream._read = size => this.#ask(size)
    stream.resume = () => this.#resume()
    stream.read = size => this.#readFrom().read.call(stream, size)
    for (const chunk of takeRead(stream)) this.#hold(chunk)
    stream.once('close', this.#onClose)
  }

  /**
   * The parser has got the stream. It would read from the handle, past the stream, as long as nobody listens to the
   * stream’s data (`unconsume` in its lib/_http_server.js).
   */
  begin(): void {
    this.#stream.on('data', ignore)
  }

  /**
   * HTTP is done with the stream, which is as it was before.
   *
   * @returns what nobody has read, `stream`'s own included
   */
  end(): Buffer {
    const stream = this.#stream as Partial<Duplex> & Duplex
    this.#isOver = true
    stream.off('data', ignore)
    stream.off('close', this.#onClose)
    for (const name of ['push', '_read', 'resume', 'read'] as const) Reflect.deleteProperty(stream, name)
    const rest = Buffer.concat([...takeRead(stream), this.#ahead])
    this.#keep(NOTHING)
    if (this.#isEnded) stream.push(null)
    return rest
  }

  /** Enough requests wait for their answers: nothing comes before `release`. */
  withhold(): void {
    this.#isWithheld = true
  }

  release(): void {
    this.#isWithheld = false
    this.#workOffLater()
  }

  get isWithheld(): boolean {
    return this.#isWithheld
  }

  /** A request has come, with a body of `length` bytes behind its head. To be called when it comes. */
  expectBody(length: number): void {
    // The beginning of it may be in the piece that the head ends in.
    this.#bodyLeft = length - PIECE - this.#stream.readableLength
  }

  /** @internal */
  workOff(): void {
    this.#inArrears = false
    const stream = this.#stream
    // Paused, it says when it goes on.
    if (this.#isOver || this.#isWithheld || stream.destroyed || stream.isPaused()) return
    if (this.#ahead.length === 0) return this.#finish()
    const { push } = prototypeOf(stream)
    const end = performance.now() + SLICE_MS
    this.#isWanted = false
    do {
      const piece = this.#ahead.subarray(0, Math.max(PIECE, Math.min(this.#bodyLeft, BODY_PIECE)))
      this.#keep(this.#ahead.subarray(piece.length))
      this.#bodyLeft -= piece.length
      push.call(stream, piece)
      if (this.#isOver || stream.destroyed) return
      // What it does not take at once it keeps, and asks for more when that is taken.
    } while (
      this.#ahead.length > 0 &&
      !this.#isWithheld &&
      stream.readableLength === 0 &&
      !stream.isPaused() &&
      performance.now() < end
    )
    // With a turn between, as from a socket: it ends whatever is not answered by then.
    if (this.#ahead.length === 0) this.#workOffLater()
  }

  #finish(): void {
    if (!this.#isEnded || this.#hasFinished) return
    this.#hasFinished = true
    const stream = this.#stream
    prototypeOf(stream).push.call(stream, null)
    stream.read(0)
  }

  get #isFull(): boolean {
    return this.#isEnded || this.#ahead.length >= MOST_AHEAD
  }

  /** @returns whether to go on reading, as `push` does */
  #hold(chunk: Buffer | null): boolean {
    if (chunk === null) {
      this.#isEnded = true
      if (this.#ahead.length === 0) this.#workOffLater()
    } else if (!this.#keep(this.#ahead.length === 0 ? chunk : Buffer.concat([this.#ahead, chunk]))) {
      this.#stream.destroy()
    }
    if (this.#isWanted) this.#workOffLater()
    return !this.#isFull
  }

  /** @returns false when there is no memory for it */
  #keep(ahead: Buffer): boolean {
    const before = this.#ahead.length
    this.#ahead = ahead
    return this.#memory.resize(before, ahead.length)
  }

  #ask(size: number): void {
    this.#isWanted = true
    this.#workOffLater()
    if (!this.#isFull) prototypeOf(this.#stream)._read.call(this.#stream, size)
  }

  #resume(): Duplex {
    this.#workOffLater()
    return this.#readFrom().resume.call(this.#stream)
  }

  /** Of whom to take what starts the socket, too: not the socket's, while enough of it is here. */
  #readFrom(): Duplex {
    return this.#isFull ? Duplex.prototype : prototypeOf(this.#stream)
  }

  #workOffLater(): void {
    if (this.#inArrears || (this.#ahead.length === 0 && (!this.#isEnded || this.#hasFinished))) return
    this.#inArrears = true
    this.#arrears.add(this)
  }
}

function prototypeOf(stream: Duplex): Duplex {
  return Object.getPrototypeOf(stream) as Duplex
}

function ignore(): void {
  // Node's parser has a listener of its own, and this one is there for its side effect.
}
