/**
 * What the codec remembers of one connection between two reads: SLOT_SIZE bytes, the field offsets of which are here.
 */
import { SLOT_SIZE, SLOTS_OFFSET, UTF8_COMPLETE } from './layout'

/** u32: the word (see layout.ts) of the current frame's next event. */
export const WORD: usize = 0
/** u32: the masking key, turned so that its low byte is for the next byte of payload. 0 for a frame without. */
export const KEY: usize = 4
/** u64: bytes of the current frame's payload still to come; 0 between two frames and inside a header. */
export const REST: usize = 8
/** u64: the limit of a message's payload in bytes, below 2^63. */
export const MAX_PAYLOAD: usize = 16
/** u64: the payload lengths of the open message's frames so far, at most MAX_PAYLOAD. */
export const MESSAGE_LENGTH: usize = 24
/** u32: frames of the open message so far. */
export const FRAGMENTS: usize = 32
/** u32: the limit of a message's frames. */
export const MAX_FRAGMENTS: usize = 36
/** u8: ROLE_*. */
export const ROLE: usize = 40
/** u8: 1 after a violation. */
export const FAILED: usize = 41
/** u8: the opcode of the message that the next data frame must continue, with COMPRESSED; 0 when there is none. */
export const OPEN_MESSAGE: usize = 42
/** u8: UTF8_* state of the open text message. */
export const TEXT_STATE: usize = 43
/** u8: EVENT_ASCII >> 8 while the open text message has only ASCII, else 0. */
export const TEXT_ASCII: usize = 44
/** u8: how many bytes of the close code came. */
export const CLOSE_LENGTH: usize = 45
/** u8: the first byte of the close code. */
export const CLOSE_FIRST: usize = 46
/** u8: UTF8_* state of the close reason. */
export const CLOSE_STATE: usize = 47
/** Bytes of a header that came without its end: at most 13; 14 with the last. */
export const HEADER: usize = 48
/** u8: 1 where permessage-deflate was negotiated. */
export const DEFLATE: usize = 62
/** u8: how many they are. */
export const HEADER_LENGTH: usize = 63

/** In OPEN_MESSAGE: the message is compressed. */
export const COMPRESSED: u32 = 0x80

export function slotAt(index: u32): usize {
  return SLOTS_OFFSET + index * SLOT_SIZE
}

/** Begins a connection. Whatever the slot's memory was used for before has no influence. */
export function openSlot(slot: usize, role: u32, maxPayload: f64, maxFragments: u32, deflate: u32): void {
  memory.fill(slot, 0, SLOT_SIZE)
  // The length of a frame is below 2^63 (RFC 6455 5.2), so that the sum of two never wraps in 64 bits.
  store<u64>(slot, maxPayload < <f64>i64.MAX_VALUE ? <u64>maxPayload : i64.MAX_VALUE, MAX_PAYLOAD)
  store<u32>(slot, maxFragments, MAX_FRAGMENTS)
  store<u8>(slot, role, ROLE)
  store<u8>(slot, deflate, DEFLATE)
  store<u8>(slot, UTF8_COMPLETE, TEXT_STATE)
  store<u8>(slot, UTF8_COMPLETE, CLOSE_STATE)
}
