// Bun's own WebSocket server; runs on Bun.
import { announce, MOST_BYTES, task } from './announce.mjs'
import { spin, warmUp } from './work.mjs'

warmUp(task.spins)

const TOPIC = 'all'
const compressor = task.deflate?.takesOver === true ? 'dedicated' : 'shared'
const isCompressed = task.deflate !== undefined

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, self) {
    if (!self.upgrade(request)) return new Response('Upgrade required', { status: 426 })
  },
  websocket: {
    perMessageDeflate: isCompressed && { compress: compressor, decompress: compressor },
    idleTimeout: 0,
    maxPayloadLength: MOST_BYTES,
    backpressureLimit: MOST_BYTES,
    publishToSelf: true,
    open(socket) {
      if (task.mode === 'broadcast') socket.subscribe(TOPIC)
    },
    message(socket, data) {
      if (task.spins > 0) spin(task.spins)
      if (task.mode === 'echo') socket.send(data, isCompressed)
      else server.publish(TOPIC, data)
    },
  },
})
announce(server.port, Bun.version)
