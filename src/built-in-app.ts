import { inspect } from 'node:util'
import { defineApp, type MessageApp } from './app.js'
import { HANDSHAKE_PROTOCOL, mirrorHandshake } from './built-in/handshake-mirror.js'

/**
 * What runs without an application: text `PING` is answered with `PONG`, everything else comes back as it was sent.
 * The page, which the shard serves beside it, may also ask for the handshake of a connection of its own.
 *
 * @param log called at level `debug` with what is received
 */
export function builtInApp(log: (level: 'debug', text: string) => void): MessageApp<unknown> {
  return defineApp<unknown>({
    upgrade: mirrorHandshake,
    open(socket) {
      log(
        'debug',
        `connection ${socket.id} opened: ${socket.request.url} from ${socket.request.remoteAddress}`,
      )
      if (socket.data === undefined || socket.protocol !== HANDSHAKE_PROTOCOL) return
      socket.send(JSON.stringify(socket.data))
      socket.close()
    },
    message(socket, data) {
      log(
        'debug',
        `connection ${socket.id} received ${typeof data === 'string' ? 'text' : 'binary'} ${preview(data)}`,
      )
      socket.send(data === 'PING' ? 'PONG' : data)
    },
  })
}

function preview(data: string | Buffer): string {
  if (typeof data === 'string') return inspect(data, { maxStringLength: 200, breakLength: Infinity })
  const more = data.length > 64 ? ` ... (${data.length} bytes)` : ''
  return `${data.subarray(0, 64).toString('hex')}${more}`
}
