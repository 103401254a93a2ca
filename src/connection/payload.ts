import { StateError } from '../errors.js'

/**
 * The bytes of what an application sends, not copied.
 *
 * @throws StateError (`ERR_SEND_TYPE`)
 */
export function asBytes(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data)
  throw new StateError(
    'ERR_SEND_TYPE',
    'send() takes a string, an ArrayBuffer or a view of one (such as a Buffer)',
  )
}
