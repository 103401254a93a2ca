// WebSocket framing over a pair of byte streams: of WebTransport, of a WebSocketStream, of a pipe.
import { link } from './link.mjs'

/**
 * @param {{ readable: ReadableStream, writable: WritableStream }} pair bytes from and to the other end
 * @returns messages from and to it, with backpressure; `writable.close()` sends a Close frame
 */
export function overStreams({ readable, writable }, role) {
  const output = writable.getWriter()
  let incoming
  const end = link(
    role,
    bytes => {
      const written = output.write(bytes)
      // It is for who sends; a Pong that does not leave any more is nobody's loss.
      written.catch(() => {})
      return written
    },
    message => {
      if (message.type === 'error') incoming.error(message.error)
      else if (message.type === 'close') incoming.terminate()
      else incoming.enqueue(message)
    },
  )
  const decoded = new TransformStream({
    start(controller) {
      incoming = controller
    },
    transform: chunk => end.receive(chunk),
  })
  return {
    readable: readable.pipeThrough(decoded),
    writable: new WritableStream({ write: data => end.send(data), close: () => end.close() }),
  }
}
