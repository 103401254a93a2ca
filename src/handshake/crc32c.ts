/** The polynomial of CRC-32C (RFC 3720 12.1), its bits reversed. */
const POLYNOMIAL = 0x82f63b78

/** CRC-32C (Castagnoli) of a few hundred bytes at most: bit by bit, a table would be larger than what it reads. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
