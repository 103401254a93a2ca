import { StateError } from '../errors.js'
import { ACCEPT_GUID } from '../rfc6455.js'

/**
 * `Sec-WebSocket-Accept`: base64(SHA-1(key + GUID)) (RFC 6455 4.2.2). The message always has 60 bytes, which makes
 * two blocks of SHA-1: of the first only the key's six words change, the second is nothing but padding and length, so
 * its whole schedule is a constant. Written here rather than taken from the platform because Web Crypto only has it
 * asynchronously, and because it is faster than a hash object of node:crypto (see bench/handshake.mjs).
 */

const KEY_LENGTH = 24
const MESSAGE_LENGTH = KEY_LENGTH + ACCEPT_GUID.length

/** Character codes of the base64 alphabet (RFC 4648 4). */
const ALPHABET = new Uint8Array(64)
for (let i = 0; i < 64; i++) {
  ALPHABET[i] = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.charCodeAt(i)
}

/** The schedule of the first block: key, GUID, a one bit. */
const schedule = new Int32Array(80)
for (let i = 0; i < ACCEPT_GUID.length; i += 4) schedule[(KEY_LENGTH + i) >> 2] = wordAt(ACCEPT_GUID, i)
schedule[15] = 0x80000000 | 0

/** The schedule of the second block: zeros and the message's length in bits. */
const paddingSchedule = new Int32Array(80)
paddingSchedule[15] = MESSAGE_LENGTH * 8
expand(paddingSchedule)

const hash = new Int32Array(5)

/** By character code: 1 for the base64 alphabet. */
const BASE64_CHARACTER = new Uint8Array(256)
for (let i = 0; i < 64; i++) BASE64_CHARACTER[ALPHABET[i]] = 1

/**
 * Whether `key` is 16 bytes in base64. The bits of the last character that stand for nothing may be anything: decoded
 * it is 16 bytes all the same, which is what RFC 6455 4.2.1 asks, RFC 4648 3.5 leaves it to the decoder, and nothing
 * depends on them, as the key is hashed as text.
 */
export function isValidKey(key: string): boolean {
  if (key.length !== KEY_LENGTH || !key.endsWith('==')) return false
  for (let i = 0; i < KEY_LENGTH - 2; i++) {
    if (BASE64_CHARACTER[key.charCodeAt(i)] !== 1) return false
  }
  return true
}

/**
 * The value of `Sec-WebSocket-Accept` for a valid `Sec-WebSocket-Key`.
 *
 * @throws StateError (`ERR_STATE_KEY`) when the key is no string of 24 characters
 */
export function acceptKey(key: string): string {
  if (typeof key !== 'string' || key.length !== KEY_LENGTH) {
    throw new StateError(
      'ERR_STATE_KEY',
      `a key is a string of ${KEY_LENGTH} characters: check it with isValidKey first`,
    )
  }
  for (let i = 0; i < KEY_LENGTH; i += 4) schedule[i >> 2] = wordAt(key, i)
  expand(schedule)
  hash[0] = 0x67452301
  hash[1] = 0xefcdab89 | 0
  hash[2] = 0x98badcfe | 0
  hash[3] = 0x10325476
  hash[4] = 0xc3d2e1f0 | 0
  compress(schedule)
  compress(paddingSchedule)
  return base64OfHash()
}

function wordAt(text: string, at: number): number {
  return (
    (text.charCodeAt(at) << 24) |
    (text.charCodeAt(at + 1) << 16) |
    (text.charCodeAt(at + 2) << 8) |
    text.charCodeAt(at + 3)
  )
}

/** FIPS 180-4 6.1.2, step 1. */
function expand(w: Int32Array): void {
  for (let t = 16; t < 80; t++) {
    const x = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16]
    w[t] = (x << 1) | (x >>> 31)
  }
}

/** FIPS 180-4 6.1.2, steps 2 to 4. */
function compress(w: Int32Array): void {
  let a = hash[0]
  let b = hash[1]
  let c = hash[2]
  let d = hash[3]
  let e = hash[4]
  let t = 0
  for (; t < 20; t++) {
    const next = (((a << 5) | (a >>> 27)) + ((b & c) | (~b & d)) + e + 0x5a827999 + w[t]) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  for (; t < 40; t++) {
    const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0x6ed9eba1 + w[t]) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  for (; t < 60; t++) {
    const mix = (b & c) | (b & d) | (c & d)
    const next = (((a << 5) | (a >>> 27)) + mix + e + 0x8f1bbcdc + w[t]) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  for (; t < 80; t++) {
    const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0xca62c1d6 + w[t]) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  hash[0] = hash[0] + a
  hash[1] = hash[1] + b
  hash[2] = hash[2] + c
  hash[3] = hash[3] + d
  hash[4] = hash[4] + e
}

/** 160 bits are 26 characters of 6 bits, one of 4, and one `=`. One call with all of them is faster than joining. */
function base64OfHash(): string {
  const a = hash[0]
  const b = hash[1]
  const c = hash[2]
  const d = hash[3]
  const e = hash[4]
  return String.fromCharCode(
    ALPHABET[a >>> 26],
    ALPHABET[(a >>> 20) & 63],
    ALPHABET[(a >>> 14) & 63],
    ALPHABET[(a >>> 8) & 63],
    ALPHABET[(a >>> 2) & 63],
    ALPHABET[((a & 3) << 4) | (b >>> 28)],
    ALPHABET[(b >>> 22) & 63],
    ALPHABET[(b >>> 16) & 63],
    ALPHABET[(b >>> 10) & 63],
    ALPHABET[(b >>> 4) & 63],
    ALPHABET[((b & 15) << 2) | (c >>> 30)],
    ALPHABET[(c >>> 24) & 63],
    ALPHABET[(c >>> 18) & 63],
    ALPHABET[(c >>> 12) & 63],
    ALPHABET[(c >>> 6) & 63],
    ALPHABET[c & 63],
    ALPHABET[d >>> 26],
    ALPHABET[(d >>> 20) & 63],
    ALPHABET[(d >>> 14) & 63],
    ALPHABET[(d >>> 8) & 63],
    ALPHABET[(d >>> 2) & 63],
    ALPHABET[((d & 3) << 4) | (e >>> 28)],
    ALPHABET[(e >>> 22) & 63],
    ALPHABET[(e >>> 16) & 63],
    ALPHABET[(e >>> 10) & 63],
    ALPHABET[(e >>> 4) & 63],
    ALPHABET[(e & 15) << 2],
    0x3d,
  )
}
