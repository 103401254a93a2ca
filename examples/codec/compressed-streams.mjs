// WebSocket messages with permessage-deflate over a pair of byte streams. `streams.mjs` is the same without.
import { CloseCode, loadCodec, Opcode } from 'shardws/codec'
import { deflate, inflate } from './deflate.mjs'

const MAX_PAYLOAD = 2 ** 20

const codec = await loadCodec()
const encoder = new TextEncoder()

/**
 * @param {{ readable: ReadableStream, writable: WritableStream }} pair bytes from and to the other end, after the
 *   opening handshake; the other end does not take its context over, and its window may have 15 bits
 * @returns messages from and to it, with backpressure; `writable.close()` sends a Close frame
 */
export function overCompressedStreams({ readable, writable }, role) {
  const decoder = codec.createDecoder({ role, maxPayload: MAX_PAYLOAD, deflate: true })
  const output = writable.getWriter()
  const decoded = new TransformStream({
    // The next chunk waits until this one's messages are inflated, so they keep their order.
    async transform(chunk, incoming) {
      for (const item of decoder.push(chunk)) {
        const message = item.type === 'compressed' ? await inflated(item) : item
        if (message.type === 'ping') {
          // Pongs that do not leave any more are nobody's loss.
          output
            .write(codec.encodeFrame({ opcode: Opcode.PONG, payload: message.data }, { role }))
            .catch(() => {})
        } else if (message.type === 'error') {
          output.write(codec.encodeClose(message.error.closeCode, '', { role })).catch(() => {})
          return incoming.error(message.error)
        } else if (message.type === 'close') return incoming.terminate()
        else incoming.enqueue(message)
      }
    },
  })
  return {
    readable: readable.pipeThrough(decoded),
    writable: new WritableStream({
      async write(data) {
        const payload = await deflate(typeof data === 'string' ? encoder.encode(data) : data)
        const binary = typeof data !== 'string'
        await output.write(codec.encodeMessage(payload, { role, binary, rsv1: true }))
      },
      close: () => output.write(codec.encodeClose(CloseCode.NORMAL, '', { role })),
    }),
  }
}

/** The message that a compressed one is, or what is wrong with it. */
async function inflated({ binary, data }) {
  try {
    const bytes = await inflate(data, MAX_PAYLOAD)
    if (binary) return { type: 'binary', data: bytes }
    // Text is UTF-8 or an error.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return { type: 'text', data: text }
  } catch (error) {
    const closeCode = error instanceof RangeError ? CloseCode.MESSAGE_TOO_BIG : CloseCode.INVALID_DATA
    return { type: 'error', error: Object.assign(error, { closeCode }) }
  }
}
