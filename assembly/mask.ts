/**
 * Masking (RFC 6455 5.3): every byte of a payload is XORed with one of the four bytes of the masking key. The same
 * operation masks and unmasks.
 *
 * Lengths that are no multiple of a vector are covered by overlapping vectors that end with the payload. They
 * are loaded before anything is stored, so each byte is XORed once, no byte outside the payload is touched, and the
 * header of the next frame is not caught in the store buffer behind a vector that covers it.
 */

/**
 * The masking key as the byte after the next `length` bytes of payload needs it.
 * The key is read little-endian: its low byte belongs to the next byte of payload.
 */
export function rotateKey(key: u32, length: u32): u32 {
  return rotr<u32>(key, (length & 3) << 3)
}

/**
 * XORs `length` bytes at `offset` with `key`.
 *
 * @returns whether a byte of the result is not ASCII. Looking costs nothing measurable beside the loads and stores.
 */
export function mask(offset: usize, length: usize, key: u32): bool {
  if (length < 16) return maskShort(offset, length, key)

  const last = offset + length - 16
  const headKey = i32x4.splat(key)
  // The second vector of every pair below ends with the payload: it begins (length mod 4) bytes further on in the key.
  const tailKey = i32x4.splat(rotateKey(key, <u32>length))

  if (length <= 32) {
    const a = v128.xor(v128.load(offset), headKey)
    const z = v128.xor(v128.load(last), tailKey)
    v128.store(offset, a)
    v128.store(last, z)
    return i8x16.bitmask(v128.or(a, z)) !== 0
  }

  if (length <= 64) {
    const a = v128.xor(v128.load(offset), headKey)
    const b = v128.xor(v128.load(offset, 16), headKey)
    const y = v128.xor(v128.load(last - 16), tailKey)
    const z = v128.xor(v128.load(last), tailKey)
    v128.store(offset, a)
    v128.store(offset, b, 16)
    v128.store(last - 16, y)
    v128.store(last, z)
    return i8x16.bitmask(v128.or(v128.or(a, b), v128.or(y, z))) !== 0
  }

  const tail = offset + length - 64
  const head = v128.xor(v128.load(offset), headKey)
  const w = v128.xor(v128.load(tail), tailKey)
  const x = v128.xor(v128.load(tail, 16), tailKey)
  const y = v128.xor(v128.load(tail, 32), tailKey)
  const z = v128.xor(v128.load(tail, 48), tailKey)
  let seen = v128.or(head, v128.or(v128.or(w, x), v128.or(y, z)))
  // Between the two, vectors that cross no cache line: 46 instead of 35 GB/s at 64 KiB (Node 20). A loop that tests at
  // its end is a quarter faster than one that tests at its beginning.
  const skipped: usize = 16 - (offset & 15)
  const alignedKey = i32x4.splat(rotateKey(key, <u32>skipped))
  let at = offset + skipped
  if (at < tail) {
    do {
      const a = v128.xor(v128.load(at), alignedKey)
      const b = v128.xor(v128.load(at, 16), alignedKey)
      const c = v128.xor(v128.load(at, 32), alignedKey)
      const d = v128.xor(v128.load(at, 48), alignedKey)
      v128.store(at, a)
      v128.store(at, b, 16)
      v128.store(at, c, 32)
      v128.store(at, d, 48)
      seen = v128.or(seen, v128.or(v128.or(a, b), v128.or(c, d)))
      at += 64
    } while (at < tail)
  }
  v128.store(offset, head)
  v128.store(tail, w)
  v128.store(tail, x, 16)
  v128.store(tail, y, 32)
  v128.store(tail, z, 48)
  return i8x16.bitmask(seen) !== 0
}

/** The high bit of each of eight bytes: what ASCII has not. */
const HIGH_BITS: u64 = <u64>0x80808080 * 0x1_0000_0001

/** As `mask`, for fewer than 16 bytes. */
function maskShort(offset: usize, length: usize, key: u32): bool {
  if (length >= 8) {
    const last = offset + length - 8
    const headKey = ((<u64>key) << 32) | <u64>key
    const tailKey = rotr<u64>(headKey, (length & 3) << 3)
    const a = load<u64>(offset) ^ headKey
    const z = load<u64>(last) ^ tailKey
    store<u64>(offset, a)
    store<u64>(last, z)
    return ((a | z) & HIGH_BITS) !== 0
  }
  if (length >= 4) {
    const last = offset + length - 4
    const a = load<u32>(offset) ^ key
    const z = load<u32>(last) ^ rotateKey(key, <u32>length)
    store<u32>(offset, a)
    store<u32>(last, z)
    return ((a | z) & 0x80808080) !== 0
  }
  let seen: u32 = 0
  for (const end = offset + length; offset < end; offset++) {
    const byte = load<u8>(offset) ^ (key & 0xff)
    store<u8>(offset, byte)
    seen |= byte
    key >>= 8
  }
  return (seen & 0x80) !== 0
}
