import { StateError } from '../errors.js'
import { MAX_CONTROL_PAYLOAD } from '../rfc6455.js'

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

/**
 * The payload of a Ping.
 *
 * @throws StateError (`ERR_SEND_TYPE`, `ERR_CONTROL_TOO_LONG`)
 */
export function asPingPayload(data: unknown): Uint8Array {
  const payload = typeof data === 'string' ? Buffer.from(data) : asBytes(data)
  if (payload.length <= MAX_CONTROL_PAYLOAD) return payload
  throw new StateError('ERR_CONTROL_TOO_LONG', `a Ping has at most ${MAX_CONTROL_PAYLOAD} bytes of payload`)
}
