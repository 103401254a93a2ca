import type { HandshakeError } from '../errors.js'
import { decodeLatin1 } from './latin1.js'
import { type HandshakeCode, handshakeError } from './refusals.js'
import { TOKEN_CHARACTER } from './token.js'

export interface HeadLimits {
  /** Bytes of the head, from the first one received to the end of the blank line. */
  readonly maxHeaderBytes: number
  /** Header lines, without the request line. */
  readonly maxHeaderLines: number
}

const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const TAB = 0x09
const COLON = 0x3a

/** What the end of a request line looks like; a 0 stands for any digit (RFC 9112 2.3). */
const VERSION_PATTERN = 'HTTP/0.0\r'

/** Capacity of the first copy of a head that comes in pieces, in bytes: most heads fit. */
const FIRST_CAPACITY = 1024

/** 1 for the bytes of a field value: VCHAR, SP, HTAB and obs-text (RFC 9110 5.5). */
const VALUE_BYTE = new Uint8Array(256).fill(1, 0x20)
VALUE_BYTE[TAB] = 1
VALUE_BYTE[0x7f] = 0

/**
 * What the next byte is expected to be part of.
 *
 *   START -> METHOD -> TARGET_START -> TARGET -> VERSION -> LINE_LF -> LINE_START -> NAME -> VALUE -> LINE_LF
 *   START -> EMPTY_LINE_LF -> METHOD_START                             LINE_START -> END_LF -> complete
 */
const State = {
  START: 0,
  EMPTY_LINE_LF: 1,
  METHOD_START: 2,
  METHOD: 3,
  TARGET_START: 4,
  TARGET: 5,
  VERSION: 6,
  LINE_LF: 7,
  LINE_START: 8,
  NAME: 9,
  VALUE: 10,
  END_LF: 11,
} as const

/** Which rule a byte breaks that the state has no place for. */
const VIOLATION: readonly HandshakeCode[] = [
  'ERR_HANDSHAKE_REQUEST_LINE',
  'ERR_HANDSHAKE_BARE_CR',
  'ERR_HANDSHAKE_REQUEST_LINE',
  'ERR_HANDSHAKE_REQUEST_LINE',
  'ERR_HANDSHAKE_REQUEST_LINE',
  'ERR_HANDSHAKE_REQUEST_LINE',
  'ERR_HANDSHAKE_REQUEST_LINE',
  'ERR_HANDSHAKE_BARE_CR',
  'ERR_HANDSHAKE_FIELD_NAME',
  'ERR_HANDSHAKE_FIELD_NAME',
  'ERR_HANDSHAKE_FIELD_VALUE',
  'ERR_HANDSHAKE_BARE_CR',
]

/**
 * Finds the end of a request head in bytes that come in any split, and checks its grammar (RFC 9112 2 to 5) on the
 * way: each byte is looked at once, and the first one that can't belong to a head ends the reading. Lines end with
 * CR LF only, nothing is folded, names are tokens directly followed by a colon, values have no control characters.
 * One empty line before the request line is ignored (RFC 9112 2.2).
 *
 * It knows nothing of what the request says; that is for `Request` and `examine`.
 */
export class HeadReader {
  /** Why the head is refused; final. */
  error: HandshakeError | undefined = undefined
  /** The complete head from the request line to the blank line, one character per byte; empty before. */
  head = ''

  readonly #limits: HeadLimits
  #state: number = State.START
  /** Bytes taken so far. */
  #length = 0
  #lines = 0
  /** How much of `VERSION_PATTERN` was matched. */
  #matched = 0
  /** Where the request line begins: 2 after an empty line. */
  #begin = 0
  /** What came in earlier pieces: `#length` bytes of it. */
  #kept: Uint8Array | undefined = undefined

  constructor(limits: HeadLimits) {
    this.#limits = limits
  }

  /** Bytes of memory that what came in earlier pieces takes. */
  get memory(): number {
    return this.#kept === undefined ? 0 : this.#kept.length
  }

  /**
   * Takes the bytes from `start` to `end`. They are copied when the head goes on after them, so they may be
   * overwritten after the call. Not to be called again once the head is complete or refused.
   *
   * @returns the offset after the blank line when the head is complete, else -1: more is needed, or `error` is set
   */
  read(bytes: Uint8Array, start: number, end: number): number {
    const room = this.#limits.maxHeaderBytes - this.#length
    const stop = end - start < room ? end : start + room
    const at = this.#scan(bytes, start, stop)
    if (this.error !== undefined) {
      this.#kept = undefined
      return -1
    }
    if (at !== -1) {
      if (this.#kept === undefined) {
        this.head = decodeLatin1(bytes, start + this.#begin, at)
      } else {
        this.#keep(bytes, start, at)
        this.head = decodeLatin1(this.#kept, this.#begin, this.#length)
        this.#kept = undefined
      }
      return at
    }
    if (stop - start === room) {
      // Every byte that is allowed is here and the head wants another one.
      this.error = handshakeError('ERR_HANDSHAKE_HEAD_TOO_LONG')
      this.#kept = undefined
      return -1
    }
    if (stop > start) this.#keep(bytes, start, stop)
    return -1
  }

  /** @returns the offset after the blank line, or -1 */
  #scan(bytes: Uint8Array, start: number, stop: number): number {
    const maxLines = this.#limits.maxHeaderLines
    let lines = this.#lines
    let state = this.#state
    let at = start
    while (at < stop) {
      const byte = bytes[at]
      switch (state) {
        case State.VALUE:
          while (at < stop && VALUE_BYTE[bytes[at]] === 1) at++
          if (at === stop) continue
          if (bytes[at] !== CR) return this.#refuse(state, bytes[at])
          state = State.LINE_LF
          break
        case State.NAME:
          while (at < stop && TOKEN_CHARACTER[bytes[at]] === 1) at++
          if (at === stop) continue
          if (bytes[at] !== COLON) return this.#refuse(state, bytes[at])
          state = State.VALUE
          break
        case State.LINE_LF:
          if (byte !== LF) return this.#refuse(state, byte)
          state = State.LINE_START
          break
        case State.LINE_START:
          if (byte === CR) {
            state = State.END_LF
            break
          }
          if (byte === SPACE || byte === TAB) {
            this.error = handshakeError('ERR_HANDSHAKE_OBS_FOLD')
            return -1
          }
          if (TOKEN_CHARACTER[byte] !== 1) return this.#refuse(state, byte)
          if (lines === maxLines) {
            this.error = handshakeError('ERR_HANDSHAKE_TOO_MANY_LINES')
            return -1
          }
          lines++
          state = State.NAME
          break
        case State.END_LF:
          if (byte !== LF) return this.#refuse(state, byte)
          return at + 1
        case State.START:
          if (byte === CR) {
            state = State.EMPTY_LINE_LF
            break
          }
          state = State.METHOD_START
          continue
        case State.EMPTY_LINE_LF:
          if (byte !== LF) return this.#refuse(state, byte)
          this.#begin = 2
          state = State.METHOD_START
          break
        case State.METHOD_START:
          if (TOKEN_CHARACTER[byte] !== 1) return this.#refuse(state, byte)
          state = State.METHOD
          break
        case State.METHOD:
          if (byte === SPACE) state = State.TARGET_START
          else if (TOKEN_CHARACTER[byte] !== 1) return this.#refuse(state, byte)
          break
        case State.TARGET_START:
          if (!isTargetByte(byte)) return this.#refuse(state, byte)
          state = State.TARGET
          break
        case State.TARGET:
          if (byte === SPACE) state = State.VERSION
          else if (!isTargetByte(byte)) return this.#refuse(state, byte)
          break
        default: {
          const wanted = VERSION_PATTERN.charCodeAt(this.#matched)
          if (wanted === 0x30 ? byte < 0x30 || byte > 0x39 : byte !== wanted) return this.#refuse(state, byte)
          if (++this.#matched === VERSION_PATTERN.length) state = State.LINE_LF
        }
      }
      at++
    }
    this.#state = state
    this.#lines = lines
    return -1
  }

  #refuse(state: number, byte: number): -1 {
    this.error = handshakeError(byte === LF ? 'ERR_HANDSHAKE_BARE_LF' : VIOLATION[state])
    return -1
  }

  /** Copies what can't stay where it is. The copy doubles when it is full, so all copying together is linear. */
  #keep(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start
    if (this.#kept === undefined || length > this.#kept.length) {
      const capacity = Math.max(FIRST_CAPACITY, length, 2 * (this.#kept?.length ?? 0))
      const grown = new Uint8Array(Math.min(capacity, this.#limits.maxHeaderBytes))
      if (this.#kept !== undefined) grown.set(this.#kept)
      this.#kept = grown
    }
    this.#kept.set(bytes.subarray(start, end), this.#length)
    this.#length = length
  }
}

/**
 * Any visible ASCII character. RFC 3986 allows fewer, but browsers send `{`, `|` and others as they are in a query
 * (WHATWG URL, query percent-encode set).
 */
function isTargetByte(byte: number): boolean {
  return byte > 0x20 && byte < 0x7f
}
