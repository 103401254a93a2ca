import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { App } from '../app.js'
import type { Page } from '../built-in/page.js'
import type { HttpEndpoint, HttpVisit } from '../connection/environment.js'
import { isPending, reportFailure } from '../connection/failure.js'
import type { HttpClients } from '../connection/http-clients.js'
import { type Board, Counter, count, countLimit } from '../ledger.js'
import type { Log } from '../log.js'
import { answerMetrics, answerProbe, isReading, pathOf, respond } from '../operation/endpoints.js'
import type { ConnectionOptions } from '../options.js'
import { VERSION } from '../rfc6455.js'
import { Guest } from './http-guest.js'
import { createRequestClass } from './http-request.js'

/** How often Node looks whose time is over, in milliseconds; its default is half a minute. */
const MOST_CHECK_MS = 1000

/** What is answered to a request that breaks a bound before there is anybody to answer it; else 400. */
const FAULT_STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** What bounds HTTP. */
export type HttpOptions = Pick<
  ConnectionOptions,
  | 'path'
  | 'handshakeTimeoutMs'
  | 'httpRequestTimeoutMs'
  | 'httpKeepAliveMs'
  | 'maxHttpRequests'
  | 'idleTimeoutMs'
  | 'maxHeaderBytes'
  | 'maxHeaderLines'
>

/** Loading it takes a thread of Node 26 40 ms, which a server without HTTP requests has no use for. */
function loadHttp(): typeof import('node:http') {
  return createRequire(import.meta.url)('node:http')
}

/** What is answered for those who operate the server. */
export interface Operation {
  readonly board: Board
  /** Of this shard's `Ledger`. */
  readonly counters: Float64Array
  /** The path of the metrics, also where the application has an `http` hook; undefined for none. */
  readonly metricsPath: string | undefined
  /** Of the built-in application; others have none. */
  readonly page?: Page | undefined
}

/**
 * The shard's HTTP server, made when the first connection needs it. It listens to nothing: connections come to it from
 * the opening handshake, with the bytes that were read already, and go back there when a later request on them is for
 * the WebSocket protocol.
 */
export class ShardHttp implements HttpEndpoint {
  readonly #app: App<unknown>
  readonly #options: HttpOptions
  readonly #log: Log
  readonly #operation: Operation
  readonly #clients: HttpClients | undefined
  #server: Server | undefined
  readonly #guests = new WeakMap<Duplex, Guest>()
  #stopping = false

  /** @param clients undefined where there is no limit to the clients behind proxies */
  constructor(
    app: App<unknown>,
    options: HttpOptions,
    log: Log,
    operation: Operation,
    clients?: HttpClients,
  ) {
    this.#app = app
    this.#options = options
    this.#log = log
    this.#operation = operation
    this.#clients = clients
  }

  serve(stream: Duplex, visit: HttpVisit): void {
    this.#guests.set(stream, new Guest(visit))
    this.#server ??= this.#create()
    this.#server.emit('connection', stream)
  }

  /**
   * Ends each connection with its next answer. Those without a request are not cut, since one may be on its way: they
   * end with their keep-alive time, 5 s.
   */
  drain(): void {
    this.#stopping = true
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
    const { handshakeTimeoutMs, httpRequestTimeoutMs, httpKeepAliveMs, maxHeaderBytes, idleTimeoutMs } =
      this.#options
    const headersTimeoutMs = Math.min(handshakeTimeoutMs, httpRequestTimeoutMs)
    const http = loadHttp()
    const bounds = {
      IncomingMessage: createRequestClass(http),
      maxHeaderSize: maxHeaderBytes,
      connectionsCheckingInterval: Math.max(10, Math.min(MOST_CHECK_MS, headersTimeoutMs)),
      // Asked for below, where it is counted.
      requireHostHeader: false,
    }
    const server = http.createServer(bounds, (request, response) => this.#receive(request, response, true))
    // An expectation that nobody can meet.
    server.on('checkExpectation', (request, response) => this.#receive(request, response, false))
    const giveBack = (request: IncomingMessage, stream: Duplex, rest: Buffer): void =>
      this.#giveBack(request, stream, rest)
    server.on('connect', giveBack)
    server.on('upgrade', giveBack)
    // No line is left out silently: what is too much is refused, and the bytes of a head are bounded in any case.
    server.maxHeadersCount = 0
    server.headersTimeout = headersTimeoutMs
    server.requestTimeout = httpRequestTimeoutMs
    server.keepAliveTimeout = httpKeepAliveMs
    server.on('clientError', (error: NodeJS.ErrnoException, stream) => this.#refuse(error, stream))
    server.setTimeout(idleTimeoutMs, socket => this.#timedOut(socket))
    // A server that does not listen does not watch its time-outs: they are set up when it says that it does.
    server.emit('listening')
    if (this.#stopping) this.#endIdle(server)
    return server
  }

  #receive(request: IncomingMessage, response: ServerResponse, isExpected: boolean): void {
    const { http } = this.#app
    const { board, metricsPath } = this.#operation
    if (request.rawHeaders.length > 2 * this.#options.maxHeaderLines) {
      return this.#refuseRequest(response, 431, 'Request Header Fields Too Large')
    }
    // RFC 9112 3.2.
    if (request.httpVersion === '1.1' && request.headers.host === undefined) {
      return this.#refuseRequest(response, 400, 'Bad Request: there is no Host')
    }
    if (!this.#admit(request, response)) return
    if (this.#stopping) response.setHeader('Connection', 'close')
    this.#follow(request, response)
    if (!isExpected) respond(response, 417, 'Expectation Failed')
    else if (metricsPath !== undefined && pathOf(request) === metricsPath && isReading(request)) {
      answerMetrics(response, board)
    } else if (http === undefined) this.#answer(request, response)
    else this.#ask(http, request, response)
  }

  /**
   * Nothing was read or written for so long. A handler may take its time, where the application has not set a time
   * itself; a client that takes nothing of an answer may not, nor one that has asked for more than is begun.
   */
  #timedOut(socket: Socket): void {
    const guest = this.#guests.get(socket)
    const { counters } = this.#operation
    if (guest === undefined || guest.unanswered === 0) {
      count(counters, Counter.HTTP_IDLE)
    } else if (socket.timeout !== this.#options.idleTimeoutMs) {
      if (guest.hearsTimeout) return
    } else {
      if (socket.writableLength === 0 && !guest.visit.input.isWithheld) return
      countLimit(counters, 'idle_timeout')
    }
    socket.destroy()
  }

  /** @returns whether the request is within the limits of its connection and its client; if not, it has been seen to */
  #admit(request: IncomingMessage, response: ServerResponse): boolean {
    const guest = this.#guests.get(request.socket)
    if (guest === undefined) return true
    const { counters } = this.#operation
    const { maxHttpRequests } = this.#options
    guest.requests++
    if (maxHttpRequests > 0 && guest.requests >= maxHttpRequests) {
      // What came behind the last one in the same piece: the connection ends before its turn.
      if (guest.requests > maxHttpRequests) {
        guest.spend()
        return false
      }
      count(counters, Counter.HTTP_SPENT)
      response.shouldKeepAlive = false
    }
    // Proxies wait for an answer before they send what another client asks.
    if (this.#clients === undefined || guest.unanswered > 0) return true
    const { peer, admission } = guest.visit
    const counted = this.#clients.take(request.headers, peer, admission)
    guest.isCounted = counted === 'counted'
    if (counted === 'tooMany') {
      count(counters, Counter.HTTP_TOO_MANY)
      respond(response, 429, 'Too Many Requests: the client has as many connections as it may have')
    } else if (counted === 'unreadable') {
      count(counters, Counter.HTTP_REFUSED)
      respond(
        response,
        400,
        'Bad Request: the header in which the proxy says who the client is cannot be read',
      )
    } else {
      return true
    }
    return false
  }

  /** What an opening request may not have either. Of header lines Node can only leave some out, or take all. */
  #refuseRequest(response: ServerResponse, status: number, text: string): void {
    count(this.#operation.counters, Counter.HTTP_REFUSED)
    response.setHeader('Connection', 'close')
    respond(response, status, text)
  }

  /** What Node would do, and a count: says what is wrong, unless an answer is under way, and ends the connection. */
  #refuse(error: NodeJS.ErrnoException, stream: Duplex): void {
    // The client has gone.
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || !stream.writable) {
      stream.destroy()
      return
    }
    count(this.#operation.counters, Counter.HTTP_REFUSED)
    const { unanswered = 0, latest } = this.#guests.get(stream) ?? {}
    const isAnswering = unanswered > 1 || (unanswered === 1 && latest?.headersSent === true)
    const status = FAULT_STATUS[error.code ?? ''] ?? '400 Bad Request'
    if (!isAnswering) stream.write(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`)
    stream.end(() => stream.destroy())
  }

  #endIdle(server: Server): void {
    server.closeIdleConnections()
    // The others have got their headers already, and may have promised to go on.
    server.keepAliveTimeout = 1
  }

  #follow(request: IncomingMessage, response: ServerResponse): void {
    const stream = request.socket
    const guest = this.#guests.get(stream)
    if (guest === undefined) return
    guest.begin(request, response)
    response.once('close', () => {
      guest.end(response)
      if (guest.unanswered > 0) return
      if (guest.isCounted && !stream.destroyed) this.#clients?.give(guest.visit.admission)
      guest.leave?.()
    })
  }

  /** Node has read a request that is not for HTTP, and has nothing to do with the connection any more. */
  #giveBack(request: IncomingMessage, stream: Duplex, rest: Buffer): void {
    const guest = this.#guests.get(stream)
    if (guest === undefined) return
    const bytes = Buffer.concat([serializeHead(request), rest])
    // Node has taken its listener away.
    stream.on('error', () => {})
    guest.leave = () => {
      this.#guests.delete(stream)
      // The client has gone, or an answer before was the last.
      if (stream.destroyed || stream.writableEnded || stream.writableLength > 0) stream.destroy()
      else guest.visit.end(bytes)
    }
    // A client that does not wait for its answers gets them first.
    if (guest.unanswered === 0) guest.leave()
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

  /** What an application without an `http` hook answers. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { board, page } = this.#operation
    const requested = pathOf(request)
    if (isReading(request)) {
      if (answerProbe(requested, response, board)) return
      if (page !== undefined && this.#answerPage(page, requested, request, response)) return
    }
    const hint = page !== undefined && requested === '/' ? '; there is a page for browsers here' : ''
    if (this.#options.path !== undefined && requested !== this.#options.path) {
      return respond(response, 404, `Not Found${hint}`)
    }
    response.setHeader('Upgrade', 'websocket')
    response.setHeader('Sec-WebSocket-Version', VERSION)
    // RFC 9110 7.8: what sends Upgrade lists it in Connection.
    const ends = this.#stopping || !response.shouldKeepAlive
    response.setHeader('Connection', ends ? 'Upgrade, close' : 'Upgrade')
    respond(response, 426, `Upgrade Required: this is a WebSocket server${hint}`)
  }

  /** @returns whether there is something at the path */
  #answerPage(page: Page, path: string, request: IncomingMessage, response: ServerResponse): boolean {
    try {
      return page.answer(path, request, response)
    } catch (error) {
      this.#log('error', 'the page can not be read', error, { event: 'page.unreadable' })
      respond(response, 500, 'Internal Server Error')
      return true
    }
  }
}

/** The head of a request as it came, but for white space around values. */
function serializeHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  return Buffer.from(`${head}\r\n`, 'latin1')
}
