// WebSocket framing over a MessagePort: between a page and its worker, its frames, its service worker.
import { link } from './link.mjs'

export function overPort(port, role, onMessage) {
  const end = link(role, bytes => port.postMessage(bytes, [bytes.buffer]), onMessage)
  port.addEventListener('message', ({ data }) => end.receive(data))
  port.start()
  return end
}
