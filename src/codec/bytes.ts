import { StateError } from '../errors.js'

/** A Uint8Array of an ArrayBuffer, said so that TypeScript before 5.7 understands, too, where it has no parameter. */
export type OwnBytes = ReturnType<Uint8Array['slice']>

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
