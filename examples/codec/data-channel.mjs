// WebSocket framing over a WebRTC data channel: the same messages from browser to browser.
import { link } from './link.mjs'

export function overDataChannel(channel, role, onMessage) {
  const end = link(role, bytes => channel.send(bytes), onMessage)
  channel.binaryType = 'arraybuffer'
  channel.addEventListener('message', ({ data }) => end.receive(data))
  return end
}
