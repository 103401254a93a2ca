import { once } from 'node:events'
import { WebSocket } from 'ws'

const LIMIT_MS = 20_000

/** A client that keeps its messages until they are asked for, so that none is missed between two waits. */
export class Inbox {
  readonly socket: WebSocket
  /** The code that the connection was closed with. */
  readonly closed: Promise<number>
  readonly #messages: string[] = []

  static async open(url: string, protocols: string[] = []): Promise<Inbox> {
    const inbox = new Inbox(new WebSocket(url, protocols))
    await once(inbox.socket, 'open', { signal: AbortSignal.timeout(LIMIT_MS) })
    return inbox
  }

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data: Buffer) => this.#messages.push(data.toString()))
    this.closed = new Promise(resolve => {
      socket.once('close', code => resolve(code))
    })
  }

  send(text: string): void {
    this.socket.send(text)
  }

  /** The next message, as text. */
  async next(): Promise<string> {
    const signal = AbortSignal.timeout(LIMIT_MS)
    while (this.#messages.length === 0) await once(this.socket, 'message', { signal })
    return this.#messages.shift() as string
  }

  /** The next `count` messages. */
  async take(count: number): Promise<string[]> {
    const messages: string[] = []
    while (messages.length < count) messages.push(await this.next())
    return messages
  }

  close(): Promise<number> {
    this.socket.close()
    return this.closed
  }
}
