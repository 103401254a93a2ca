import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** Answers the opening handshake and then nothing, not even a Close. */
export class SilentServer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  static async start(): Promise<SilentServer> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new SilentServer(server)
  }

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      let head = ''
      socket.on('data', chunk => {
        if (head.endsWith('\r\n\r\n')) return
        head += chunk.toString('latin1')
        const key = /^sec-websocket-key: (\S+)/im.exec(head)?.[1]
        if (!head.endsWith('\r\n\r\n') || key === undefined) return
        const accept = createHash('sha1')
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64')
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        )
      })
    })
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  /** Sends Close to all, and does not end TCP. */
  sendClose(): void {
    for (const socket of this.#sockets) socket.write(Buffer.from([0x88, 0x02, 0x03, 0xe8]))
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
