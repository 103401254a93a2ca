import { StateError } from '../errors.js'

/**
 * The bytes of an ArrayBuffer or of a view of one, not copied.
 *
 * @param what the caller's name for them
 * @throws StateError (`ERR_CODEC_BYTES`)
 */
export function bytesOf(data: unknown, what: string): Uint8Array {
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  throw new StateError('ERR_CODEC_BYTES', `${what} must be an ArrayBuffer or a view of one`)
}
