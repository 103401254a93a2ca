import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

/** What a target does with a message, or with a new connection. */
export interface TargetBehaviour {
  opened?(socket: WebSocket, request: IncomingMessage): void
  /** Default: sends it back. */
  message?(socket: WebSocket, data: Buffer, isBinary: boolean): void
  /** The status that refuses an opening request; undefined accepts. */
  refuse?(request: IncomingMessage): number | undefined
}

/** A server to be loaded, which behaves as a test wants it to. */
export class LoadTarget {
  readonly url: string
  /** Connections that were accepted. */
  opened = 0
  messages = 0
  readonly #server: WebSocketServer

  static async start(behaviour: TargetBehaviour = {}): Promise<LoadTarget> {
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      maxPayload: 64 * 1024 * 1024,
      verifyClient: ({ req }, done) => {
        const status = behaviour.refuse?.(req)
        done(status === undefined, status)
      },
    })
    await once(server, 'listening')
    return new LoadTarget(server, behaviour)
  }

  private constructor(server: WebSocketServer, behaviour: TargetBehaviour) {
    this.#server = server
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`
    server.on('connection', (socket, request) => {
      this.opened++
      behaviour.opened?.(socket, request)
      socket.on('error', () => {})
      socket.on('message', (data: Buffer, isBinary) => {
        this.messages++
        if (behaviour.message) behaviour.message(socket, data, isBinary)
        else socket.send(data, { binary: isBinary })
      })
    })
  }

  get connected(): number {
    return this.#server.clients.size
  }

  async stop(): Promise<void> {
    for (const client of this.#server.clients) client.terminate()
    await new Promise(resolve => {
      this.#server.close(resolve)
    })
  }
}

/** Keeps this thread busy, so that a server in it does nothing. */
export function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
