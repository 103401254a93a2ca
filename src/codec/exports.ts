/**
 * The types of what codec.wasm exports. WebAssembly has no unsigned numbers at this boundary: a u32 from 2^31 on comes
 * back negative, which no offset or count in this codec's memory reaches.
 */
export interface CodecExports {
  /**
   * Begins a connection in a slot. `maxPayload` in bytes, 0 to Infinity; `maxFragments` from 1 to 2^32 - 1; `deflate` 1
   * where messages may be compressed, else 0.
   */
  open(slot: number, role: number, maxPayload: number, maxFragments: number, deflate: number): void
  /** Decodes all frames of the bytes into the event table; returns the number of events. */
  decode(slot: number, offset: number, length: number): number
  /** How many bytes of its input the last `decode` took. */
  consumed(): number
  /** XORs in place; the low byte of `key` is the masking key's first, `phase` the bytes masked before. */
  mask(offset: number, length: number, key: number, phase: number): void
  /** Continues a validation; returns the new state. */
  validateUtf8(offset: number, length: number, state: number): number
  /** Where the byte is that made the last `validateUtf8` return UTF8_INVALID. */
  invalidOffset(): number
  /** Decodes valid UTF-8 to units of one byte, or of two when the result is negative (`~number` of them). */
  decodeUtf8(offset: number, length: number): number

  readonly READ_OFFSET: WebAssembly.Global
  readonly READ_CAPACITY: WebAssembly.Global
  readonly WRITE_OFFSET: WebAssembly.Global
  readonly WRITE_CAPACITY: WebAssembly.Global
  readonly EVENTS_OFFSET: WebAssembly.Global
  readonly EVENTS_CAPACITY: WebAssembly.Global
  readonly EVENT_SIZE: WebAssembly.Global
  readonly TEXT_OFFSET: WebAssembly.Global
  readonly TEXT_CAPACITY: WebAssembly.Global
  readonly SLOTS_OFFSET: WebAssembly.Global
  readonly SLOT_SIZE: WebAssembly.Global
}
