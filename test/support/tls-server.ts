import { type EventEmitter, once } from 'node:events'
import { get, type RequestOptions } from 'node:https'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { WebSocket } from 'ws'
import { type ServeOptions, type Server, serve } from '../../dist/index.js'
import { Authority, type Certificate } from './certificates.js'
import { ServerProcess, type ServerProcessOptions } from './server-process.js'
import { soon } from './until.js'
import { openingRequest } from './wire-client.js'

export let authority: Authority
export let localhost: Certificate
/** For `localhost` and another name. */
export let renewed: Certificate
/** A client's. */
export let ada: Certificate
/** The one that `start` has started, or `keep` was given. */
export let server: ServerProcess | undefined
/** Called when the test is over. */
export const closers: (() => unknown)[] = []

/** Certificates for the tests of the file that calls it; after each, its servers and clients end. */
export function setUpTls(): void {
  beforeAll(async () => {
    authority = await Authority.create()
    localhost = authority.server('localhost', 'localhost')
    renewed = authority.server('renewed', 'localhost', 'renewed.example')
    ada = authority.client('ada', 'Ada')
  })

  afterAll(() => authority.remove())

  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
    server?.kill()
    server = undefined
  })
}

/** Has `started` end with the test. */
export function keep(started: ServerProcess): ServerProcess {
  server = started
  return started
}

export async function start(options: ServerProcessOptions = {}, tls = {}): Promise<ServerProcess> {
  const { key, cert } = localhost
  return keep(await ServerProcess.start({ tls: { key, cert, ...tls }, ...options }))
}

export interface Facts {
  version: string
  servername?: string
  resumed: boolean
  authorized: boolean
  authorizationError?: string
  certificate?: string
}

/** A client of the package `ws`. Its messages are kept. */
export class Client {
  readonly socket: WebSocket
  readonly #inbox: string[] = []
  #wake = (): void => {}

  static async open(port: number, options: ConnectionOptions = {}, path = '/'): Promise<Client> {
    const client = new Client(port, options, path)
    await soon('the WebSocket opens', once(client.socket, 'open'))
    return client
  }

  private constructor(port: number, options: ConnectionOptions, path: string) {
    // By address: then no name is sent, but for the tests that give one.
    const trust = { ca: authority.root.cert, servername: '', ...options }
    this.socket = new WebSocket(`wss://127.0.0.1:${port}${path}`, trust)
    closers.push(() => this.socket.terminate())
    this.socket.on('message', data => {
      this.#inbox.push((data as Buffer).toString())
      this.#wake()
    })
  }

  /** What a later connection can resume: to be asked for when an answer has come, for TLS 1.3 sends it with the first. */
  get session(): Buffer {
    return this.stream.getSession() as Buffer
  }

  get stream(): TLSSocket {
    return (this.socket as unknown as { _socket: TLSSocket })._socket
  }

  async next(): Promise<string> {
    while (this.#inbox.length === 0) {
      await soon(
        'a message',
        new Promise<void>(resolve => {
          this.#wake = resolve
        }),
      )
    }
    return this.#inbox.shift() as string
  }

  ask(text: string | Buffer): Promise<string> {
    this.socket.send(text)
    return this.next()
  }

  async facts(): Promise<Facts> {
    return (JSON.parse(await this.ask('!facts')) as { tls: Facts }).tls
  }

  async close(): Promise<number> {
    const closed = once(this.socket, 'close')
    this.socket.close(1000)
    const [code] = (await soon('the WebSocket closes', closed)) as [number]
    return code
  }
}

/** Resolves when it is closed, whether after an error or not. */
export function closing(emitter: EventEmitter): Promise<void> {
  return new Promise(resolve => emitter.once('close', () => resolve()))
}

/** Why a client does not get in: the error's text, or that it was closed. */
export async function failure(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', ca: authority.root.cert, ...options })
  closers.push(() => socket.destroy())
  const outcome = new Promise<string>(resolve => {
    socket.on('error', error => resolve(error.message))
    socket.on('close', () => resolve('closed'))
    socket.on('data', chunk => resolve(`data ${chunk}`))
  })
  socket.write(openingRequest())
  return soon('the client is turned away', outcome)
}

export async function fetch(options: RequestOptions): Promise<{ status: number | undefined; body: string }> {
  const [response] = await soon(
    'a response',
    once(get({ host: '127.0.0.1', ca: authority.root.cert, agent: false, ...options }), 'response'),
  )
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { status: response.statusCode, body }
}

/** A server in this process, for what can't be sent to another. */
export async function serveHere(options: ServeOptions): Promise<Server> {
  const app = new URL('../fixtures/test-app.mjs', import.meta.url)
  const here = await serve({ host: '127.0.0.1', port: 0, workers: 2, logLevel: 'error', app, ...options })
  closers.push(() => here.close({ timeoutMs: 1000 }))
  return here
}

export function portOf(here: Server): number {
  return here.address()?.port ?? 0
}
