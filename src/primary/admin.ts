import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OptionError } from '../errors.js'
import type { Board } from '../ledger.js'
import { answerMetrics, answerProbe, isReading, pathOf, respond } from '../operation/endpoints.js'
import { explainListenError } from './listen.js'

/** Those who watch a server are few. */
const MAX_CONNECTIONS = 100
/** Milliseconds for a request to come in, as a whole, and between two of a connection. */
const REQUEST_TIMEOUT_MS = 10_000

/**
 * The port for those who operate the server: `/metrics`, `/healthz`, `/readyz`. It is answered by the primary, whose
 * event loop is idle however busy the shards are, from before the shards start until they have ended.
 */
export class Admin {
  readonly #server: Server

  /** @throws OptionError (`ERR_LISTEN`) */
  static async listen(port: number, host: string, board: Board): Promise<Admin> {
    const server = createServer((request, response) => answer(request, response, board))
    server.maxConnections = MAX_CONNECTIONS
    server.requestTimeout = server.headersTimeout = server.keepAliveTimeout = REQUEST_TIMEOUT_MS
    await new Promise<void>((resolve, reject) => {
      server.once('error', error => {
        const text = `${explainListenError(error, port, host)} (adminPort, adminHost)`
        reject(new OptionError('ERR_LISTEN', text, { cause: error }))
      })
      server.listen({ port, host }, resolve)
    })
    // A connection that could not be accepted; the server goes on.
    server.on('error', () => {})
    return new Admin(server)
  }

  private constructor(server: Server) {
    this.#server = server
  }

  /** Null once it is closed. */
  get address(): AddressInfo | null {
    return this.#server.address() as AddressInfo | null
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

function answer(request: IncomingMessage, response: ServerResponse, board: Board): void {
  if (!isReading(request)) {
    response.setHeader('Allow', 'GET, HEAD')
    return respond(response, 405, 'Method Not Allowed')
  }
  const path = pathOf(request)
  if (path === '/metrics') return answerMetrics(response, board)
  if (!answerProbe(path, response, board)) respond(response, 404, 'Not Found')
}
