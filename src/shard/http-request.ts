import type * as Http from 'node:http'
import { namesWebSocket } from '../handshake/upgrade.js'

/** What Node's parser says: the request asks for another protocol, whichever. */
const ASKS = Symbol('asks')

/**
 * The class of requests of which only those for the WebSocket protocol are upgrades. Node hands any other over as well,
 * as soon as somebody listens; here they are answered as if they had not asked (RFC 9110 7.8), and the connection may
 * go on to WebSocket later.
 */
export function createRequestClass({ IncomingMessage }: typeof Http): typeof Http.IncomingMessage {
  return class extends IncomingMessage {
    [ASKS]: boolean | null = null

    get upgrade(): boolean {
      return this[ASKS] === true && (this.method === 'CONNECT' || namesWebSocket(this.headers.upgrade ?? ''))
    }

    set upgrade(asks: boolean | null) {
      this[ASKS] = asks
    }
  }
}
