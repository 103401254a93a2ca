/**
 * Frames (RFC 6455 5.2): one call turns every frame of a read into events, whatever byte the read ends at.
 *
 * It owns the order of the checks: each violation is reported at the byte that decides it, and where one byte decides
 * several, the first in the order of `parseHeader` wins.
 */
import {
  ERROR_CLOSE_CODE,
  ERROR_CLOSE_LENGTH,
  ERROR_CONTROL_FRAGMENTED,
  ERROR_CONTROL_TOO_LONG,
  ERROR_EXPECTED_CONTINUATION,
  ERROR_INVALID_UTF8,
  ERROR_LENGTH_NOT_MINIMAL,
  ERROR_LENGTH_TOP_BIT,
  ERROR_MASK_FORBIDDEN,
  ERROR_MASK_REQUIRED,
  ERROR_MESSAGE_TOO_BIG,
  ERROR_NONE,
  ERROR_RESERVED_BITS,
  ERROR_RESERVED_OPCODE,
  ERROR_TOO_MANY_FRAGMENTS,
  ERROR_UNEXPECTED_CONTINUATION,
  EVENT_ASCII,
  EVENT_COMPRESSED,
  EVENT_ERROR,
  EVENT_FIN,
  EVENT_FRAME_END,
  EVENT_FRAME_START,
  EVENT_MESSAGE_START,
  EVENT_SIZE,
  EVENT_WHOLE,
  EVENTS_CAPACITY,
  EVENTS_OFFSET,
  ROLE_SERVER,
  UTF8_COMPLETE,
  UTF8_INVALID,
} from './layout'
import { mask, rotateKey } from './mask'
import {
  CLOSE_FIRST,
  CLOSE_LENGTH,
  CLOSE_STATE,
  COMPRESSED,
  DEFLATE,
  FAILED,
  FRAGMENTS,
  HEADER,
  HEADER_LENGTH,
  KEY,
  MAX_FRAGMENTS,
  MAX_PAYLOAD,
  MESSAGE_LENGTH,
  OPEN_MESSAGE,
  REST,
  ROLE,
  TEXT_ASCII,
  TEXT_STATE,
  WORD,
} from './slot'
import { invalidAt, validate } from './utf8'

const TEXT: u32 = 0x1
const CLOSE: u32 = 0x8
const RSV1: u32 = 0x40
/** RFC 6455 5.2: 2 bytes, 8 of length, 4 of masking key. */
const MAX_HEADER: u32 = 14
/** A length over every limit. */
const NOT_USUAL: u32 = 0x7fffffff
const EVENTS_END: usize = EVENTS_OFFSET + EVENTS_CAPACITY * EVENT_SIZE

/** The violation that a function below met, and where it is: an offset, or in parseHeader an index into the header. */
let fault: u32 = ERROR_NONE
let faultAt: usize = 0
/** How many bytes of its input the last `decode` took. */
export let taken: u32 = 0

function refuse(error: u32, at: usize): u32 {
  fault = error
  faultAt = at
  return 0
}

/**
 * Checks as much of a header as there is: `available` bytes at `at`. When it is complete, the slot begins its frame.
 *
 * @returns the header's length; 0 when it is not complete or `fault` was set
 */
function parseHeader(slot: usize, at: usize, available: u32): u32 {
  const first = <u32>load<u8>(at)
  const opcode = first & 0x0f
  const final = first & 0x80
  const control = opcode & 0x08
  const open = <u32>load<u8>(slot, OPEN_MESSAGE)
  const fragments = opcode === 0 ? load<u32>(slot, FRAGMENTS) : 0
  const reserved = first & 0x70
  // RFC 7692 6: the one bit that may be set, where it was negotiated, in the first frame of a data message.
  if (reserved && (reserved !== RSV1 || control || opcode === 0 || !load<u8>(slot, DEFLATE))) {
    return refuse(ERROR_RESERVED_BITS, 0)
  }
  if ((opcode & 0x07) > 2) return refuse(ERROR_RESERVED_OPCODE, 0)
  if (control) {
    if (!final) return refuse(ERROR_CONTROL_FRAGMENTED, 0)
  } else if (opcode === 0) {
    if (!open) return refuse(ERROR_UNEXPECTED_CONTINUATION, 0)
    if (fragments >= load<u32>(slot, MAX_FRAGMENTS)) return refuse(ERROR_TOO_MANY_FRAGMENTS, 0)
  } else if (open) return refuse(ERROR_EXPECTED_CONTINUATION, 0)
  if (available < 2) return 0

  const second = <u32>load<u8>(at, 1)
  const masked = second & 0x80
  if (load<u8>(slot, ROLE) === ROLE_SERVER) {
    if (!masked) return refuse(ERROR_MASK_REQUIRED, 1)
  } else if (masked) return refuse(ERROR_MASK_FORBIDDEN, 1)
  let size: u32 = 2
  let length: u64 = second & 0x7f
  if (control && length > 125) return refuse(ERROR_CONTROL_TOO_LONG, 1)
  if (length === 126) {
    size = 4
    if (available < size) return 0
    length = bswap<u16>(load<u16>(at, 2))
    if (length < 126) return refuse(ERROR_LENGTH_NOT_MINIMAL, 3)
  } else if (length === 127) {
    size = 10
    if (available < size) return 0
    length = bswap<u64>(load<u64>(at, 2))
    if (<i64>length < 0) return refuse(ERROR_LENGTH_TOP_BIT, 9)
    if (length < 0x10000) return refuse(ERROR_LENGTH_NOT_MINIMAL, 9)
  }
  // COMPRESSED is RSV1, one bit further up.
  const compressed = opcode === 0 ? open & COMPRESSED : reserved << 1
  const messageLength = opcode === 0 ? load<u64>(slot, MESSAGE_LENGTH) + length : length
  if (control) {
    if (opcode === CLOSE && length === 1) return refuse(ERROR_CLOSE_LENGTH, 1)
  } else {
    let limit = load<u64>(slot, MAX_PAYLOAD)
    // What is inflated is measured by who inflates; what can't be compressed takes this much more than it is long.
    if (compressed) limit += (limit >> 3) + 1024
    if (messageLength > limit) return refuse(ERROR_MESSAGE_TOO_BIG, size - 1)
  }

  let key: u32 = 0
  if (masked) {
    if (available < size + 4) return 0
    key = load<u32>(at + size)
    size += 4
  }

  store<u32>(slot, key, KEY)
  store<u64>(slot, length, REST)
  if (control) {
    store<u32>(slot, opcode | EVENT_FRAME_START | EVENT_FIN | EVENT_MESSAGE_START, WORD)
    store<u8>(slot, 0, CLOSE_LENGTH)
    store<u8>(slot, UTF8_COMPLETE, CLOSE_STATE)
    return size
  }
  // FIN is 0x80 in the header and EVENT_FIN is 0x400; COMPRESSED is 0x80 and EVENT_COMPRESSED 0x2000.
  const flags = EVENT_FRAME_START | (final << 3) | (compressed << 6)
  store<u64>(slot, messageLength, MESSAGE_LENGTH)
  store<u32>(slot, fragments + 1, FRAGMENTS)
  if (opcode === 0) {
    store<u32>(slot, (open & 0x0f) | flags, WORD)
    if (final) store<u8>(slot, 0, OPEN_MESSAGE)
  } else {
    store<u32>(slot, opcode | flags | EVENT_MESSAGE_START, WORD)
    store<u8>(slot, final ? 0 : opcode | compressed, OPEN_MESSAGE)
    store<u8>(slot, UTF8_COMPLETE, TEXT_STATE)
    store<u8>(slot, EVENT_ASCII >> 8, TEXT_ASCII)
  }
  return size
}

/** RFC 6455 7.4: the codes that may stand in a Close frame. */
function isValidCloseCode(code: u32): bool {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999)
}

/** Checks `length` bytes of a Close frame's payload at `at` (RFC 6455 5.5.1). */
function checkClose(slot: usize, at: usize, length: usize): void {
  const end = at + length
  for (let have = load<u8>(slot, CLOSE_LENGTH); have < 2; have++) {
    if (at === end) return
    const byte = <u32>load<u8>(at)
    if (have === 0) store<u8>(slot, byte, CLOSE_FIRST)
    else if (!isValidCloseCode(((<u32>load<u8>(slot, CLOSE_FIRST)) << 8) | byte)) {
      refuse(ERROR_CLOSE_CODE, at)
      return
    }
    store<u8>(slot, have + 1, CLOSE_LENGTH)
    at++
  }
  const state = validate(at, end - at, load<u8>(slot, CLOSE_STATE))
  if (state === UTF8_INVALID) refuse(ERROR_INVALID_UTF8, invalidAt)
  store<u8>(slot, state, CLOSE_STATE)
}

/**
 * Unmasks and checks `length` bytes at `at`, which are the current frame's next ones.
 *
 * @returns the word of their event
 */
function receivePayload(slot: usize, at: usize, length: usize): u32 {
  const key = load<u32>(slot, KEY)
  let word = load<u32>(slot, WORD)
  const rest = load<u64>(slot, REST) - length
  const opcode = word & 0x0f
  // A key of 0 changes nothing; text is looked at all the same.
  const notAscii = key !== 0 || opcode === TEXT ? mask(at, length, key) : false
  store<u32>(slot, rotateKey(key, <u32>length), KEY)
  store<u64>(slot, rest, REST)
  store<u32>(slot, word & ~EVENT_FRAME_START, WORD)
  if (rest === 0) word |= EVENT_FRAME_END

  if (opcode === TEXT && !(word & EVENT_COMPRESSED)) {
    let state = <u32>load<u8>(slot, TEXT_STATE)
    if (notAscii) store<u8>(slot, 0, TEXT_ASCII)
    if (notAscii || state !== UTF8_COMPLETE) {
      state = validate(at, length, state)
      store<u8>(slot, state, TEXT_STATE)
      if (state === UTF8_INVALID) return refuse(ERROR_INVALID_UTF8, invalidAt)
      if (state !== UTF8_COMPLETE && rest === 0 && word & EVENT_FIN) {
        return refuse(ERROR_INVALID_UTF8, at + length - 1)
      }
    }
    return word | ((<u32>load<u8>(slot, TEXT_ASCII)) << 8)
  }
  if (opcode === CLOSE) {
    checkClose(slot, at, length)
    if (fault === ERROR_NONE && rest === 0 && load<u8>(slot, CLOSE_STATE) !== UTF8_COMPLETE) {
      return refuse(ERROR_INVALID_UTF8, at + length - 1)
    }
  }
  return word
}

function emit(event: usize, word: u32, offset: usize, length: u32, rest: u32): void {
  store<u64>(event, <u64>word | ((<u64>offset) << 32))
  store<u64>(event, <u64>length | ((<u64>rest) << 32), 8)
}

/** The longest payload of a frame that is the usual one at this point: -1, none, while a message is open. */
function usualLimit(slot: usize): i32 {
  return load<u8>(slot, OPEN_MESSAGE) ? -1 : <i32>min<u64>(load<u64>(slot, MAX_PAYLOAD), 65535)
}

/**
 * Decodes every frame of the `length` bytes at `offset`, payloads in place, into the event table.
 *
 * @returns how many events there are
 */
export function decodeFrames(slot: usize, offset: usize, length: u32): u32 {
  const end = offset + length
  let at = offset
  let event: usize = EVENTS_OFFSET
  taken = length
  if (load<u8>(slot, FAILED)) return 0
  fault = ERROR_NONE
  let partial = <u32>load<u8>(slot, HEADER_LENGTH)
  let rest = load<u64>(slot, REST)
  let limit = usualLimit(slot)
  const server = load<u8>(slot, ROLE) === ROLE_SERVER
  const shortHeader: usize = server ? 6 : 2
  const maskBit: u32 = server ? 0x80 : 0

  while (at < end && event < EVENTS_END) {
    if (rest === 0) {
      // The usual frame: an unfragmented message with a 7- or 16-bit length, all of it in this read.
      if (partial === 0 && at + shortHeader <= end) {
        const first = <u32>load<u8>(at)
        // Over 127 with the wrong mask bit.
        let size = <u32>load<u8>(at, 1) ^ maskBit
        let payload = at + shortHeader
        if (size > 125) {
          size = size === 126 && payload + 2 <= end ? bswap<u16>(load<u16>(at, 2)) : 0
          if (size < 126) size = NOT_USUAL
          payload += 2
        }
        if (first - 0x81 < 2 && <i32>size <= limit && payload + size <= end) {
          const notAscii = mask(payload, size, server ? load<u32>(payload - 4) : 0)
          let word = (first & 0x0f) | EVENT_WHOLE
          at = payload + size
          if (first === 0x81) {
            if (!notAscii) word |= EVENT_ASCII
            else {
              const state = validate(payload, size, UTF8_COMPLETE)
              if (state !== UTF8_COMPLETE) {
                refuse(ERROR_INVALID_UTF8, state === UTF8_INVALID ? invalidAt : at - 1)
                break
              }
            }
          }
          store<u64>(event, <u64>word | ((<u64>payload) << 32))
          store<u64>(event, <u64>size, 8)
          event += EVENT_SIZE
          continue
        }
      }

      // Any other header; one that began in an earlier read is put together in the slot.
      let header = at
      let available = <u32>(end - at)
      if (partial) {
        header = slot + HEADER
        const more = min<u32>(available, MAX_HEADER - partial)
        for (let i: u32 = 0; i < more; i++) store<u8>(header + partial + i, load<u8>(at + i))
        available = partial + more
      }
      const size = parseHeader(slot, header, available)
      if (fault !== ERROR_NONE) {
        faultAt += at - partial
        break
      }
      if (size === 0) {
        if (!partial) {
          for (let i: u32 = 0; i < available; i++) store<u8>(slot + i, load<u8>(at + i), HEADER)
        }
        partial = available
        at = end
        break
      }
      at += size - partial
      partial = 0
      rest = load<u64>(slot, REST)
      limit = usualLimit(slot)
      if (rest !== 0 && at === end) break
    }

    const part = <u32>min<u64>(rest, end - at)
    const word = receivePayload(slot, at, part)
    if (fault !== ERROR_NONE) break
    rest -= part
    emit(event, word, at, part, <u32>min<u64>(rest, 0x7fffffff))
    event += EVENT_SIZE
    at += part
  }

  if (fault !== ERROR_NONE) {
    store<u8>(slot, 1, FAILED)
    emit(event, EVENT_ERROR, faultAt, fault, 0)
    event += EVENT_SIZE
    at = end
  }
  store<u8>(slot, partial, HEADER_LENGTH)
  taken = <u32>(at - offset)
  return <u32>(event - EVENTS_OFFSET) / EVENT_SIZE
}
