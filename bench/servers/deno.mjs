// Deno's own WebSocket server; runs on Deno.
import { announce, task } from './announce.mjs'
import { spin, warmUp } from './work.mjs'

warmUp(task.spins)

const sockets = new Set()

Deno.serve(
  {
    port: 0,
    hostname: '127.0.0.1',
    onListen: ({ port }) => announce(port, Deno.version.deno),
  },
  request => {
    if (request.headers.get('upgrade') !== 'websocket')
      return new Response('Upgrade required', { status: 426 })
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 })
    socket.binaryType = 'arraybuffer'
    if (task.mode === 'broadcast') {
      socket.addEventListener('open', () => sockets.add(socket))
      socket.addEventListener('close', () => sockets.delete(socket))
    }
    socket.addEventListener('message', ({ data }) => {
      if (task.spins > 0) spin(task.spins)
      if (task.mode === 'echo') socket.send(data)
      else for (const other of sockets) other.send(data)
    })
    return response
  },
)
