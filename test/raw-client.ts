import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const LIMIT_MS = 10_000

/** A TCP client that keeps what it received, for servers that are tested below WebSocket. */
export class RawClient {
  /** Resolves when the connection has ended, in whatever way. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  #received = ''

  static async connect(port: number, host = '127.0.0.1', from?: string): Promise<RawClient> {
    const socket = connect({ port, host, ...(from !== undefined && { localAddress: from }) })
    const client = new RawClient(socket)
    await once(socket, 'connect')
    return client
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    this.closed = new Promise(resolve => {
      socket.once('close', () => resolve())
    })
    // A reset is an end like any other.
    socket.on('error', () => {})
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.#received += text
    })
  }

  get received(): string {
    return this.#received
  }

  get isClosed(): boolean {
    return this.#socket.destroyed
  }

  /** Reads no more. */
  pause(): void {
    this.#socket.pause()
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1')
  }

  /** Sends and resolves with what has come when it contains `until`. */
  async ask(text: string, until = text): Promise<string> {
    this.send(text)
    return this.receive(until)
  }

  async receive(until: string): Promise<string> {
    const signal = AbortSignal.timeout(LIMIT_MS)
    while (!this.#received.includes(until)) {
      if (this.#socket.destroyed) throw new Error(`closed after ${JSON.stringify(this.#received)}`)
      await Promise.race([once(this.#socket, 'data', { signal }), this.closed])
    }
    return this.#received
  }

  end(): Promise<void> {
    this.#socket.end()
    return this.closed
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
