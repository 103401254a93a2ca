import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { HandleTransport } from '../../src/connection/handle-transport.js'
import { createReader, SocketTransport } from '../../src/connection/socket-transport.js'
import type { TransportOwner } from '../../src/connection/transport.js'
import { takeHandle } from '../../src/tcp-handle.js'

export type TransportKind = typeof SocketTransport | typeof HandleTransport

/** The transports that are made of a socket. */
export const KINDS: readonly TransportKind[] = [SocketTransport, HandleTransport]

/** A transport over a real socket, and the client at its other end. */
export interface Accepted {
  transport: SocketTransport | HandleTransport
  /** The number of its descriptor when it was accepted. */
  fd: number
}

/** A listener whose accepted sockets become transports that share one read arena. */
export class TransportServer {
  readonly accepted: Accepted[] = []
  /** Admission numbers of transports that have ended. */
  readonly ended: number[] = []
  readonly #server: Server
  readonly #clients: Socket[] = []
  #onAccepted: (() => void) | undefined

  /**
   * @param arena where the kernel puts what it reads
   * @param Kind of transport; by default the one that shards use
   * @param adopt makes the owner, and is called again with the transport
   */
  constructor(
    arena: Uint8Array,
    adopt: (transport?: SocketTransport | HandleTransport) => TransportOwner,
    Kind: TransportKind = HandleTransport,
  ) {
    const reader = createReader(arena)
    this.#server = createServer({ pauseOnConnect: true }, socket => {
      const handle = takeHandle(socket)
      const { fd } = handle
      const admission = this.accepted.length
      const registry = { ended: (number: number) => void this.ended.push(number) }
      const transport = new Kind(handle, reader, adopt(), admission, registry)
      transport.owner = adopt(transport)
      this.accepted.push({ transport, fd })
      this.#onAccepted?.()
    })
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Begins to connect: for the kernel the connection is made, but nobody has accepted it yet. */
  knock(): Socket {
    const { port } = this.#server.address() as AddressInfo
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    // A reset is an end like any other.
    client.on('error', () => {})
    this.#clients.push(client)
    return client
  }

  /** Connects, and resolves when both ends are there. */
  async connect(): Promise<{ client: Socket } & Accepted> {
    const number = this.accepted.length
    const accepted = new Promise<void>(resolve => {
      this.#onAccepted = resolve
    })
    const client = this.knock()
    await Promise.all([once(client, 'connect'), accepted])
    return { client, ...this.accepted[number] }
  }

  close(): void {
    for (const client of this.#clients) client.destroy()
    for (const { transport } of this.accepted) transport.destroy()
    this.#server.close()
  }
}
