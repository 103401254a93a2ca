import { StateError } from '../errors.js'
import { EVENT_WORDS, ROLE_CLIENT, ROLE_SERVER, SLOTS_OFFSET } from './events.js'
import type { CodecExports } from './exports.js'
import { type CodecInstance, instantiate } from './instance.js'
import type { Role } from './role.js'

/** Node's Buffer with the methods that its type declarations leave out. Offsets are bytes. */
export interface CodecMemory extends Buffer {
  latin1Slice(start: number, end: number): string
  ucs2Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
  /** @returns how many bytes were written; a character that does not fit is left out */
  latin1Write(text: string, offset: number, length: number): number
  /** @returns how many bytes were written; a character that does not fit is left out */
  utf8Write(text: string, offset: number, length: number): number
}

/** Bytes that fit the inflation arena: what most messages inflate to, in one call of zlib. */
const INFLATE_CAPACITY = 64 * 1024

/**
 * An instance of the codec: an arena for what is read, one for what is written, the table of what the last `decode`
 * found, and the state of each of its connections. It is used by one thread. Its memory never grows; pages that no
 * connection has used yet cost addresses, not memory.
 *
 * The methods that run per read check nothing: a slot must be acquired, and offsets must lie in one of the two arenas.
 */
export class Codec {
  /** How many connections it can serve at a time. */
  readonly slots: number
  /** All of the memory: a `Buffer` in Node, elsewhere a plain `Uint8Array` of the same bytes. */
  readonly memory: CodecMemory
  /** Where the kernel puts what it read; `decode` unmasks in it. */
  readonly readArena: Uint8Array
  readonly readOffset: number
  readonly writeOffset: number
  /** Bytes that fit the write arena. */
  readonly writeCapacity: number
  /**
   * Where inflated bytes may be put, to be validated and decoded: the last `inflateCapacity` bytes of the scratch arena,
   * which `decodeUtf8` writes to from its beginning, so that it never overtakes what it reads.
   */
  readonly inflateOffset: number
  /** Bytes that fit there. */
  readonly inflateCapacity = INFLATE_CAPACITY
  /** As many bytes as there are at `inflateOffset`, whose contents nobody wants. */
  readonly sinkOffset: number
  /** What the last `decode` found, EVENT_WORDS numbers each: word, offset, length, rest (see events.ts). */
  readonly events: Int32Array
  /** How many events fit the table. */
  readonly eventsCapacity: number
  readonly #exports: CodecExports
  readonly #textOffset: number
  /** Slots given back, the last one on top, so that memory in use stays dense. */
  readonly #free: number[] = []
  /** 1 for each slot in use. */
  readonly #used: Uint8Array
  /** Slots from here on were never used. */
  #fresh = 0

  /**
   * @param module see `compileCodec`
   * @param slots how many connections at a time, 1 to 2^20: 64 bytes of memory each, once used
   * @param instance of `module` for as many slots, where it was made asynchronously
   * @throws StateError (`ERR_CODEC_SLOTS`) when `slots` is out of range, (`ERR_CODEC_SOURCE`) for another module
   */
  constructor(
    module: WebAssembly.Module,
    slots: number,
    { memory, exports }: CodecInstance = instantiate(module, slots),
  ) {
    if (exports.SLOTS_OFFSET?.value !== SLOTS_OFFSET) {
      throw new StateError('ERR_CODEC_SOURCE', "the module is not this version's codec.wasm")
    }
    this.#exports = exports
    this.slots = slots
    this.#used = new Uint8Array(slots)
    this.memory = (
      typeof Buffer === 'undefined' ? new Uint8Array(memory.buffer) : Buffer.from(memory.buffer)
    ) as CodecMemory
    this.readOffset = exports.READ_OFFSET.value
    this.readArena = new Uint8Array(memory.buffer, this.readOffset, exports.READ_CAPACITY.value)
    this.writeOffset = exports.WRITE_OFFSET.value
    this.writeCapacity = exports.WRITE_CAPACITY.value
    this.#textOffset = exports.TEXT_OFFSET.value
    this.sinkOffset = this.#textOffset
    this.inflateOffset = this.#textOffset + exports.TEXT_CAPACITY.value - INFLATE_CAPACITY
    this.eventsCapacity = exports.EVENTS_CAPACITY.value
    this.events = new Int32Array(
      memory.buffer,
      exports.EVENTS_OFFSET.value,
      this.eventsCapacity * EVENT_WORDS,
    )
  }

  /**
   * Begins a connection.
   *
   * @param maxPayload bytes of a message, 0 to Infinity; over it ERR_MESSAGE_TOO_BIG
   * @param maxFragments frames of a message, 1 to 2^32 - 1; over it ERR_MESSAGE_TOO_MANY_FRAGMENTS
   * @param deflate permessage-deflate was negotiated: messages may be compressed (RFC 7692 6)
   * @returns its slot, to be released when it ends; -1 when all slots are in use
   */
  acquire(role: Role, maxPayload: number, maxFragments: number, deflate = false): number {
    let slot = this.#free.pop()
    if (slot === undefined) {
      if (this.#fresh === this.slots) return -1
      slot = this.#fresh++
    }
    this.#used[slot] = 1
    const roleNumber = role === 'server' ? ROLE_SERVER : ROLE_CLIENT
    this.#exports.open(slot, roleNumber, maxPayload, maxFragments, deflate ? 1 : 0)
    return slot
  }

  /**
   * Ends a connection.
   *
   * @throws StateError when the slot is not in use
   */
  release(slot: number): void {
    if (this.#used[slot] !== 1) {
      throw new StateError(
        'ERR_CODEC_SLOT_FREE',
        `slot ${slot} is not in use: release it once, after acquire()`,
      )
    }
    this.#used[slot] = 0
    this.#free.push(slot)
  }

  /**
   * Decodes every frame of the next `length` bytes of a connection, payloads in place, into `events`. The last event
   * may be a violation, after which the connection has no more events.
   *
   * @returns the number of events, valid until the next call
   */
  decode(slot: number, length: number, offset: number = this.readOffset): number {
    return this.#exports.decode(slot, offset, length)
  }

  /**
   * How many bytes the last `decode` took. Fewer than it was given only when the event table was full: the rest is
   * decoded with another call.
   */
  consumed(): number {
    return this.#exports.consumed()
  }

  /**
   * Masks in place (RFC 6455 5.3).
   *
   * @param key the masking key, its first byte lowest
   * @param phase how many bytes of the same payload were masked before
   */
  mask(offset: number, length: number, key: number, phase: number): void {
    this.#exports.mask(offset, length, key, phase)
  }

  /**
   * Continues a validation of UTF-8 that begins in state UTF8_COMPLETE.
   *
   * @returns the new state: UTF8_COMPLETE, 1 to 7 inside a character, UTF8_INVALID for ever after an invalid byte
   */
  validateUtf8(offset: number, length: number, state: number): number {
    return this.#exports.validateUtf8(offset, length, state)
  }

  /**
   * The string of valid UTF-8 that lies in memory and ends with a whole character, at most as long as the read arena.
   * Node 24 and later does the same in half the time by itself, Node 20 and 22 in six times the time.
   */
  decodeUtf8(start: number, end: number): string {
    const units = this.#exports.decodeUtf8(start, end - start)
    const at = this.#textOffset
    return units >= 0 ? this.memory.latin1Slice(at, at + units) : this.memory.ucs2Slice(at, at + 2 * ~units)
  }

  /** As `decodeUtf8`, of bytes that lie elsewhere and are as many as anybody likes. */
  decodeUtf8From(bytes: Uint8Array): string {
    const most = this.readArena.length
    // The end of the scratch arena, which the output reaches only when the input there is used up.
    const scratchEnd = this.#textOffset + 2 * most
    let text = ''
    for (let start = 0, end: number; start < bytes.length; start = end) {
      end = wholeCharacters(bytes, start + most)
      const at = scratchEnd - (end - start)
      this.memory.set(bytes.subarray(start, end), at)
      text += this.decodeUtf8(at, scratchEnd)
    }
    return text
  }

  /** Where the byte is that made the last `validateUtf8` return UTF8_INVALID. */
  invalidOffset(): number {
    return this.#exports.invalidOffset()
  }
}

/** The last end of a character at `end` or before. */
function wholeCharacters(bytes: Uint8Array, end: number): number {
  if (end >= bytes.length) return bytes.length
  while ((bytes[end] & 0xc0) === 0x80) end--
  return end
}
