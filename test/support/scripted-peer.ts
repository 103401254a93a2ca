import { compressed, deflateMessage } from './compressed-frames.js'
import { BINARY, CLOSE, closeFrame, frame, PING, PONG, TEXT } from './frames.js'
import type { MemoryTransport } from './memory-transport.js'
import type { Random } from './random.js'

/** Something that the application is to be told of. */
export interface Heard {
  opcode: number
  payload: Buffer
  /** Frames up to its last one, and bytes. */
  frames: number
  bytes: number
}

/** How a script ends. */
export type Ending = 'close' | 'close and rubbish' | 'violation' | 'fin' | 'half a frame' | 'nothing'
const ENDINGS: readonly Ending[] = [
  'close',
  'close and rubbish',
  'violation',
  'fin',
  'half a frame',
  'nothing',
]

const CONTINUATION = 0
const HISTORY = 32_768

/** How a script may compress. */
export type Deflate = 'none' | 'each by itself' | 'with context take-over'

/**
 * A client with a script: messages whole and in fragments, compressed and not, with Pings and Pongs between them, floods
 * of empty ones, and an end. What the application is to hear of it, in which order, is known beforehand.
 */
export class ScriptedPeer {
  /** What is to be heard up to the end of the script. */
  readonly script: readonly Heard[]
  readonly ending: Ending
  /** The code of the Close frame that it has sent all of. */
  closeCode: number | undefined
  /** It has begun to send what nobody can answer: a violation, or half a frame. */
  hasBroken = false
  readonly #random: Random
  readonly #deflate: Deflate
  readonly #heard: Heard[] = []
  /** Not sent yet: whole frames, but for the first, of which `#at` bytes are sent. */
  readonly #frames: Buffer[] = []
  #at = 0
  #sent = 0
  #count = 0
  #bytes = 0
  #history = Buffer.alloc(0)
  /** Of the script. */
  #close: Buffer | undefined
  #broken: Buffer | undefined
  #hasEnded = false

  constructor(random: Random, deflate: Deflate) {
    this.#random = random
    this.#deflate = deflate
    this.script = this.#heard
    const count = random.integer(5, 60)
    for (let number = 0; number < count; number++) this.#utter(number)
    this.ending = random.pick(ENDINGS)
    this.#scriptEnd()
  }

  /** How much of the script it has said. */
  get said(): number {
    const next = this.script.findIndex(({ bytes }) => bytes > this.#sent)
    return next < 0 ? this.script.length : next
  }

  /** Sends some of what is left, in reads of any size. */
  speak(transport: MemoryTransport): void {
    if (this.#hasEnded) return
    const most = this.#random.pick([1, 200, 5000, 70_000, 2 ** 20])
    const bytes = this.#takeBytes(most)
    if (bytes.length > 0) {
      // Not thousands of reads for one message: the last size is that of all others.
      const size = (least: number): number =>
        this.#random.integer(least, least + this.#random.pick([20, 3000, 70_000]))
      transport.feed(bytes, size(1), size(1), size(bytes.length >> 3))
    }
    if (this.#frames.length === 0 && this.ending !== 'nothing') this.end(transport)
  }

  /** The server has sent a Close frame: answers it at the end of the present frame, unless it has sent one. */
  answer(transport: MemoryTransport, code: number): void {
    if (this.#hasEnded) return
    const rest = this.#at > 0 ? this.#takeBytes(this.#frames[0].length - this.#at) : Buffer.alloc(0)
    this.#frames.length = 0
    if (rest.length > 0) transport.feed(rest)
    if (!this.hasBroken && this.closeCode === undefined) {
      transport.feed(closeFrame(code))
      this.closeCode = code
    }
    this.end(transport)
  }

  /** Sends FIN. */
  end(transport: MemoryTransport): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    transport.feedEnd()
  }

  #takeBytes(most: number): Buffer {
    const taken: Buffer[] = []
    let left = most
    while (left > 0 && this.#frames.length > 0) {
      const [first] = this.#frames
      if (first === this.#broken) this.hasBroken = true
      const bytes = first.subarray(this.#at, this.#at + left)
      taken.push(bytes)
      left -= bytes.length
      this.#sent += bytes.length
      this.#at += bytes.length
      if (this.#at < first.length) break
      this.#at = 0
      this.#frames.shift()
      if (first === this.#close) this.closeCode = 1000
    }
    return Buffer.concat(taken)
  }

  #utter(number: number): void {
    const random = this.#random
    const kind = random.next()
    if (kind < 0.1) return this.#control(PING)
    if (kind < 0.15) return this.#control(PONG)
    if (kind < 0.17) {
      // More frames than are delivered in one go.
      for (let i = random.integer(1000, 6000); i > 0; i--)
        this.#message(random.pick([TEXT, BINARY]), '', false)
      return
    }
    const isDeflating = this.#deflate !== 'none'
    // Of those that may have to wait for their turn to be inflated there are enough.
    const isLarge = random.next() < (isDeflating ? 0.2 : 0.05)
    const length = isLarge
      ? random.integer(100_000, 600_000)
      : random.integer(0, random.pick([100, 2000, 100_000]))
    const text = `${number} ${String.fromCharCode(97 + (number % 26)).repeat(length)}`
    const isCompressed = isDeflating && random.next() < (isLarge ? 0.9 : 0.5)
    this.#message(random.pick([TEXT, BINARY]), text, isCompressed)
  }

  #control(opcode: number): void {
    const payload = this.#random.bytes(this.#random.pick([0, 4, 125]))
    this.#push(frame(opcode, payload, { mask: this.#random.bytes(4) }))
    this.#hear(opcode, payload)
  }

  #message(opcode: number, text: string, isCompressed: boolean): void {
    const random = this.#random
    const payload = Buffer.from(text)
    let rest = isCompressed ? this.#compress(payload) : payload
    let isFirst = true
    let fin = false
    while (!fin) {
      fin = rest.length === 0 || random.next() < 0.7
      // Fragments may be empty, the last one as well.
      const size = fin ? rest.length : random.integer(0, rest.length + 1)
      const options = { fin, mask: random.bytes(4) }
      const piece = rest.subarray(0, size)
      if (!isFirst) this.#push(frame(CONTINUATION, piece, options))
      else if (isCompressed) this.#push(compressed(piece, opcode, options))
      else this.#push(frame(opcode, piece, options))
      rest = rest.subarray(size)
      isFirst = false
      if (!fin && random.next() < 0.4) this.#control(random.pick([PING, PONG]))
    }
    this.#hear(opcode, payload)
  }

  #compress(payload: Buffer): Buffer {
    if (this.#deflate === 'each by itself') return deflateMessage(payload, { level: 1 })
    const dictionary = this.#history
    this.#history = Buffer.concat([dictionary, payload.subarray(-HISTORY)]).subarray(-HISTORY)
    return deflateMessage(payload, { level: 1, ...(dictionary.length > 0 && { dictionary }) })
  }

  #scriptEnd(): void {
    const random = this.#random
    const mask = random.bytes(4)
    const { ending } = this
    if (ending === 'close' || ending === 'close and rubbish') {
      this.#close = frame(CLOSE, Buffer.of(1000 >> 8, 1000 & 255), { mask })
      this.#frames.push(this.#close)
      if (ending === 'close and rubbish') this.#frames.push(random.bytes(random.integer(1, 300)))
    } else if (ending === 'violation') {
      this.#broken = frame(TEXT, 'not to be heard', { rsv: 2, mask })
      this.#frames.push(this.#broken, random.bytes(100))
    } else if (ending === 'half a frame') {
      const whole = frame(TEXT, 'not to be heard', { mask })
      this.#broken = whole.subarray(0, random.integer(1, whole.length))
      this.#frames.push(this.#broken)
    }
  }

  #push(bytes: Buffer): void {
    this.#frames.push(bytes)
    this.#count++
    this.#bytes += bytes.length
  }

  #hear(opcode: number, payload: Buffer): void {
    this.#heard.push({ opcode, payload, frames: this.#count, bytes: this.#bytes })
  }
}
