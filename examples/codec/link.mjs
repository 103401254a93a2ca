// WebSocket messages over whatever carries bytes in order: one end of a link.
import { loadCodec, Opcode } from 'shardws/codec'

const codec = await loadCodec()

/**
 * @param {'client' | 'server'} role one end is the client, which masks, the other the server
 * @param {(bytes: Uint8Array<ArrayBuffer>) => unknown} transmit gets bytes to the other end; `send` and
 *   `close` return what it returns
 * @param {(message: import('shardws/codec').Message) => void} onMessage what has come: messages, Close, violations
 */
export function link(role, transmit, onMessage) {
  const decoder = codec.createDecoder({ role, maxPayload: 65_536 })
  return {
    /** Bytes have come from the other end. */
    receive(chunk) {
      for (const message of decoder.push(chunk)) {
        if (message.type === 'ping') {
          transmit(codec.encodeFrame({ opcode: Opcode.PONG, payload: message.data }, { role }))
        } else if (message.type === 'error') {
          transmit(codec.encodeClose(message.error.closeCode, '', { role }))
        }
        onMessage(message)
      }
    },
    send: data => transmit(codec.encodeMessage(data, { role })),
    close: (code = 1000, reason = '') => transmit(codec.encodeClose(code, reason, { role })),
  }
}
