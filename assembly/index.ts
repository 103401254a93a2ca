/**
 * The codec's exports, and nothing else. JavaScript has their types in src/codec/exports.ts.
 */
import { decodeFrames, taken } from './frame'
import { TEXT_OFFSET } from './layout'
import { mask as maskBytes, rotateKey } from './mask'
import { openSlot, slotAt } from './slot'
import { invalidAt, validate } from './utf8'
import { decodeToUnits } from './utf16'

export * from './layout'

/**
 * Begins a connection in slot number `slot`.
 *
 * @param role ROLE_SERVER or ROLE_CLIENT: what the local end is
 * @param maxPayload bytes of a message, 0 to Infinity
 * @param maxFragments frames of a message, from 1 on
 * @param deflate 1 where permessage-deflate was negotiated, so that messages may be compressed, else 0
 */
export function open(slot: u32, role: u32, maxPayload: f64, maxFragments: u32, deflate: u32): void {
  openSlot(slotAt(slot), role, maxPayload, maxFragments, deflate)
}

/**
 * Decodes every frame of the `length` bytes at `offset` into the event table. After a violation it finds nothing more.
 *
 * @returns how many events there are
 */
export function decode(slot: u32, offset: u32, length: u32): u32 {
  return decodeFrames(slotAt(slot), offset, length)
}

/** How many bytes of its input the last `decode` took: fewer than all only when the event table was full. */
export function consumed(): u32 {
  return taken
}

/**
 * XORs `length` bytes at `offset` with `key`, the low byte of which is the masking key's first.
 *
 * @param phase how many bytes of the same payload were masked before, modulo 4
 */
export function mask(offset: u32, length: u32, key: u32, phase: u32): void {
  maskBytes(offset, length, rotateKey(key, phase))
}

/**
 * Validates `length` bytes of UTF-8 at `offset`, which continue what ended in `state` (UTF8_COMPLETE to begin with).
 *
 * @returns the new state; UTF8_INVALID at the first byte after which no continuation could be valid
 */
export function validateUtf8(offset: u32, length: u32, state: u32): u32 {
  return validate(offset, length, state)
}

/** Where the byte is that made the last `validateUtf8` return UTF8_INVALID. */
export function invalidOffset(): u32 {
  return <u32>invalidAt
}

/**
 * Decodes `length` bytes of valid UTF-8 at `offset`, at most READ_CAPACITY, into the TEXT arena: to Latin-1 when every
 * character is in it, otherwise to UTF-16.
 *
 * @returns how many units of one byte, or, when negative, `~number` units of two
 */
export function decodeUtf8(offset: u32, length: u32): i32 {
  return decodeToUnits(offset, length, TEXT_OFFSET)
}
