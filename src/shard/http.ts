import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { Duplex } from 'node:stream'
import type { App } from '../app.js'
import type { HttpEndpoint } from '../connection/environment.js'
import { isPending, reportFailure } from '../connection/failure.js'
import type { Board } from '../ledger.js'
import type { Log } from '../log.js'
import { answerMetrics, answerProbe, isReading, pathOf, respond } from '../operation/endpoints.js'
import { VERSION } from '../rfc6455.js'

/** Milliseconds that a request may take to come in, as a whole; Node's default is five minutes. */
const REQUEST_TIMEOUT_MS = 30_000

/** Loading it takes a thread of Node 26 40 ms, which a server without HTTP requests has no use for. */
function loadHttp(): typeof import('node:http') {
  return createRequire(import.meta.url)('node:http')
}

/** What is answered for those who operate the server. */
export interface Operation {
  readonly board: Board
  /** The path of the metrics, also where the application has an `http` hook; undefined for none. */
  readonly metricsPath: string | undefined
}

/**
 * The shard's HTTP server, made when the first connection needs it. It listens to nothing: connections come to it from
 * the opening handshake, with the bytes that were read already.
 */
export class ShardHttp implements HttpEndpoint {
  readonly #app: App<unknown>
  readonly #path: string | undefined
  readonly #headersTimeoutMs: number
  readonly #log: Log
  readonly #operation: Operation
  #server: Server | undefined
  #stopping = false

  /** @param path the only path that has a WebSocket; undefined for any */
  constructor(
    app: App<unknown>,
    path: string | undefined,
    headersTimeoutMs: number,
    log: Log,
    operation: Operation,
  ) {
    this.#app = app
    this.#path = path
    this.#headersTimeoutMs = headersTimeoutMs
    this.#log = log
    this.#operation = operation
  }

  serve(stream: Duplex): void {
    this.#server ??= this.#create()
    this.#server.emit('connection', stream)
  }

  /** Ends connections without a request now, the others after their response. */
  stop(): void {
    this.#stopping = true
    if (this.#server !== undefined) this.#endIdle(this.#server)
  }

  /** Ends everything at once. */
  destroy(): void {
    this.#server?.closeAllConnections()
    this.#server?.close()
  }

  #create(): Server {
    const { http } = this.#app
    const { board, metricsPath } = this.#operation
    const listener: RequestListener =
      http === undefined
        ? (request, response) => answer(request, response, board, this.#path, this.#stopping)
        : (request, response) => this.#ask(http, request, response)
    const server = loadHttp().createServer((request, response) => {
      if (this.#stopping) response.setHeader('Connection', 'close')
      const isMetrics = metricsPath !== undefined && pathOf(request) === metricsPath && isReading(request)
      if (isMetrics) answerMetrics(response, board)
      else listener(request, response)
    })
    server.headersTimeout = this.#headersTimeoutMs
    server.requestTimeout = REQUEST_TIMEOUT_MS
    // A server that does not listen does not watch its time-outs: they are set up when it says that it does.
    server.emit('listening')
    if (this.#stopping) this.#endIdle(server)
    return server
  }

  #endIdle(server: Server): void {
    server.closeIdleConnections()
    // The others have got their headers already, and may have promised to go on.
    server.keepAliveTimeout = 1
  }

  #ask(http: NonNullable<App['http']>, request: IncomingMessage, response: ServerResponse): void {
    const failed = (error: unknown): void => {
      reportFailure(this.#app, this.#log, 'the http handler failed', error)
      // What it has answered in full still goes out.
      if (response.writableEnded) return
      if (response.headersSent) {
        response.destroy()
        return
      }
      // Its headers belong to the answer that it did not give.
      for (const name of response.getHeaderNames()) response.removeHeader(name)
      if (this.#stopping) response.setHeader('Connection', 'close')
      respond(response, 500, 'Internal Server Error')
    }
    try {
      const result = http.call(this.#app, request, response)
      if (isPending(result)) Promise.resolve(result).then(undefined, failed)
    } catch (error) {
      failed(error)
    }
  }
}

/** What an application without an `http` hook answers. */
function answer(
  request: IncomingMessage,
  response: ServerResponse,
  board: Board,
  path: string | undefined,
  stopping: boolean,
): void {
  const requested = pathOf(request)
  if (isReading(request) && answerProbe(requested, response, board)) return
  if (path !== undefined && requested !== path) return respond(response, 404, 'Not Found')
  response.setHeader('Upgrade', 'websocket')
  response.setHeader('Sec-WebSocket-Version', VERSION)
  // RFC 9110 7.8: what sends Upgrade lists it in Connection.
  const ends = stopping || !response.shouldKeepAlive
  response.setHeader('Connection', ends ? 'Upgrade, close' : 'Upgrade')
  respond(response, 426, 'Upgrade Required: this is a WebSocket server')
}
