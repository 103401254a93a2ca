import { characters } from './frames.js'
import { ReferenceUtf8 } from './utf8.js'

/** A frame of which all came, or a control frame. `opcode` is that of its message. */
export interface Frame {
  opcode: number
  fin: boolean
  /** It begins a message, or is a control frame. */
  start: boolean
  /** It belongs to a compressed message (RFC 7692 6). */
  compressed: boolean
  /** Every byte of the text message up to this frame's end is ASCII; false for all but text. */
  ascii: boolean
  /** One character per byte: strings are compared quickly. */
  payload: string
}

/** A violation: the codec's number for it, and the index of the byte of the stream that decides it. */
export interface Violation {
  error: number
  at: number
}

export interface DecoderLimits {
  role: 'server' | 'client'
  maxPayload: number
  maxFragments: number
  /** permessage-deflate was negotiated. */
  deflate?: boolean
}

/**
 * RFC 6455 5, one byte at a time and written to be compared with the text: slow and obvious. The error numbers are
 * those of assembly/layout.ts.
 */
export class ReferenceDecoder {
  readonly frames: Frame[] = []
  violation: Violation | undefined
  readonly #limits: DecoderLimits
  #position = 0
  #header: number[] = []
  #length = 0n
  #key: number[] = []
  #payload: number[] | undefined
  #message:
    | {
        opcode: number
        compressed: boolean
        length: bigint
        fragments: number
        ascii: boolean
        utf8: ReferenceUtf8
      }
    | undefined
  #reason = new ReferenceUtf8()

  constructor(limits: DecoderLimits) {
    this.#limits = limits
  }

  /** Whether the next byte begins a frame. */
  get isBetweenFrames(): boolean {
    return this.#header.length === 0 && this.#payload === undefined
  }

  push(byte: number): void {
    if (this.violation) return
    const error = this.#payload ? this.#pushPayload(byte) : this.#pushHeader(byte)
    if (error) this.violation = { error, at: this.#position }
    this.#position++
  }

  get #opcode(): number {
    return this.#header[0] & 0x0f
  }

  get #fin(): boolean {
    return this.#header[0] >= 0x80
  }

  get #isPlainText(): boolean {
    return this.#message?.opcode === 1 && !this.#message.compressed
  }

  #pushHeader(byte: number): number {
    const header = this.#header
    header.push(byte)
    if (header.length === 1) return this.#checkFirstByte(byte)
    const masked = header[1] >= 0x80
    const short = header[1] & 0x7f
    const lengthEnd = short === 127 ? 10 : short === 126 ? 4 : 2
    if (header.length === 2) {
      if (this.#limits.role === 'server' && !masked) return 7
      if (this.#limits.role === 'client' && masked) return 8
      if (this.#opcode >= 8 && short > 125) return 4
    }
    if (header.length === lengthEnd) {
      const error = this.#checkLength(short, header.slice(2, lengthEnd))
      if (error) return error
    }
    if (header.length < lengthEnd + (masked ? 4 : 0)) return 0
    this.#key = masked ? header.slice(lengthEnd) : [0, 0, 0, 0]
    this.#beginFrame()
    return this.#length === 0n ? this.#endFrame() : 0
  }

  #checkFirstByte(byte: number): number {
    const opcode = this.#opcode
    const mayBeCompressed = this.#limits.deflate && opcode > 0 && opcode < 8
    if (byte & (mayBeCompressed === true ? 0x30 : 0x70)) return 1
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) return 2
    if (opcode >= 8) return this.#fin ? 0 : 3
    if (opcode === 0) {
      if (!this.#message) return 5
      return this.#message.fragments === this.#limits.maxFragments ? 12 : 0
    }
    return this.#message ? 6 : 0
  }

  #checkLength(short: number, extended: number[]): number {
    this.#length =
      extended.length === 0 ? BigInt(short) : extended.reduce((sum, next) => sum * 256n + BigInt(next), 0n)
    if (this.#length >= 1n << 63n) return 10
    if (extended.length === 2 && this.#length < 126n) return 9
    if (extended.length === 8 && this.#length < 65536n) return 9
    if (this.#opcode === 8 && this.#length === 1n) return 14
    const before = this.#opcode === 0 ? (this.#message?.length ?? 0n) : 0n
    const limit = this.#limits.maxPayload
    const compressed = this.#opcode === 0 ? this.#message?.compressed : this.#header[0] & 0x40
    const most = limit === Infinity ? 0n : BigInt(limit) + (compressed ? BigInt(limit) / 8n + 1024n : 0n)
    if (this.#opcode < 8 && limit !== Infinity && before + this.#length > most) return 11
    return 0
  }

  #beginFrame(): void {
    this.#payload = []
    this.#reason = new ReferenceUtf8()
    if (this.#opcode >= 8) return
    if (this.#opcode !== 0) {
      this.#message = {
        opcode: this.#opcode,
        compressed: (this.#header[0] & 0x40) !== 0,
        length: 0n,
        fragments: 0,
        ascii: true,
        utf8: new ReferenceUtf8(),
      }
    }
    if (!this.#message) throw new Error('a continuation without a message got through')
    this.#message.fragments++
    this.#message.length += this.#length
  }

  #pushPayload(masked: number): number {
    const payload = this.#payload as number[]
    const byte = masked ^ this.#key[payload.length % 4]
    payload.push(byte)
    if (this.#opcode === 8) {
      if (payload.length === 2 && !isAllowedCloseCode(payload[0] * 256 + byte)) return 15
      if (payload.length > 2 && !this.#reason.push(byte)) return 13
    }
    const message = this.#message
    if (this.#opcode < 8 && message && this.#isPlainText) {
      if (byte >= 0x80) message.ascii = false
      if (!message.utf8.push(byte)) return 13
    }
    return BigInt(payload.length) === this.#length ? this.#endFrame() : 0
  }

  #endFrame(): number {
    const control = this.#opcode >= 8
    const message = this.#message
    if (this.#opcode === 8 && !this.#reason.complete) return 13
    if (!control && this.#fin && this.#isPlainText && !message?.utf8.complete) return 13
    this.frames.push({
      opcode: control ? this.#opcode : (message?.opcode ?? 0),
      fin: this.#fin,
      start: this.#opcode !== 0,
      compressed: !control && message?.compressed === true,
      ascii: !control && this.#isPlainText && message?.ascii === true,
      payload: characters(this.#payload as number[]),
    })
    if (!control && this.#fin) this.#message = undefined
    this.#header = []
    this.#payload = undefined
    return 0
  }
}

/** RFC 6455 7.4 and the registry of close codes, as a list. */
function isAllowedCloseCode(code: number): boolean {
  const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
  return registered.includes(code) || (code >= 3000 && code <= 4999)
}
