import type { IncomingHttpHeaders } from 'node:http'
import type { AddressSet } from '../address.js'
import type { ClientCounts } from '../client-counts.js'
import { clientKey } from '../client-key.js'
import { type Endpoint, findClient } from '../handshake/forwarded.js'
import type { ForwardedHeader } from '../options.js'

/** What became of a request: it counts for its client, or for nobody; its client has as many as it may; who it is can't be read. */
export type Counted = 'counted' | 'uncounted' | 'tooMany' | 'unreadable'

/**
 * Counts the clients whom a trusted proxy names in a header of each request of plain HTTP. The proxy has one connection
 * for the requests of many: each is its client's connection for as long as it is in progress.
 */
export class HttpClients {
  readonly #header: ForwardedHeader
  readonly #trusted: AddressSet
  readonly #clients: ClientCounts

  constructor(header: ForwardedHeader, trusted: AddressSet, clients: ClientCounts) {
    this.#header = header
    this.#trusted = trusted
    this.#clients = clients
  }

  /**
   * @param headers of the request
   * @param peer who has the other end of the connection, which the primary knows as `admission`
   */
  take(headers: IncomingHttpHeaders, peer: Endpoint, admission: number): Counted {
    const header = this.#header
    if (header === 'none' || !this.#trusted.has(peer.address)) return 'uncounted'
    const value = headers[header] as string | undefined
    if (value === undefined) return 'uncounted'
    const client = findClient(value, header, peer, this.#trusted)
    if (client === undefined) return 'unreadable'
    // A proxy that does not tell, or asks for itself.
    if (this.#trusted.has(client.address)) return 'uncounted'
    return this.#clients.take(admission, clientKey(client.address)) ? 'counted' : 'tooMany'
  }

  /** The request that was counted is answered, and the connection is still there: the primary does it else. */
  give(admission: number): void {
    this.#clients.give(admission)
  }
}
