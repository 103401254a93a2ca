// TLS: the handshake runs in the shards. Clients are `ws`, Node's own and, for what those can't do, raw bytes.
import { randomBytes } from 'node:crypto'
import { type EventEmitter, once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { get, type RequestOptions, request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type ServeOptions, type Server, serve } from '../../dist/index.js'
import { Command } from '../command.js'
import { Authority, type Certificate } from '../support/certificates.js'
import { clientHello } from '../support/client-hello.js'
import { text as textFrame } from '../support/frames.js'
import { total as metric, parseMetrics } from '../support/metrics.js'
import { ServerProcess, type ServerProcessOptions } from '../support/server-process.js'
import { soon, until } from '../support/until.js'
import { openingRequest } from '../support/wire-client.js'

let authority: Authority
let localhost: Certificate
let renewed: Certificate
let ada: Certificate
let server: ServerProcess | undefined
const closers: (() => unknown)[] = []

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

async function start(options: ServerProcessOptions = {}, tls = {}): Promise<ServerProcess> {
  const { key, cert } = localhost
  server = await ServerProcess.start({ tls: { key, cert, ...tls }, ...options })
  return server
}

interface Facts {
  version: string
  servername?: string
  resumed: boolean
  authorized: boolean
  authorizationError?: string
  certificate?: string
}

/** A client of the package `ws`. Its messages are kept. */
class Client {
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
function closing(emitter: EventEmitter): Promise<void> {
  return new Promise(resolve => emitter.once('close', () => resolve()))
}

/** Why a client does not get in: the error's text, or that it was closed. */
async function failure(port: number, options: ConnectionOptions = {}): Promise<string> {
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

async function fetch(options: RequestOptions): Promise<{ status: number | undefined; body: string }> {
  const [response] = await soon(
    'a response',
    once(get({ host: '127.0.0.1', ca: authority.root.cert, agent: false, ...options }), 'response'),
  )
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { status: response.statusCode, body }
}

describe('a server with a certificate', () => {
  test('echoes messages of any size, both ways, on every shard', async () => {
    const { port } = await start()
    const shards = new Set<string>()
    for (let i = 0; i < 4; i++) {
      const client = await Client.open(port)
      shards.add(await client.ask('!shard'))
      for (const size of [0, 1, 125, 126, 16_384, 16_385, 65_535, 65_536, 262_144, 700_000, 1_048_576]) {
        const message = randomBytes(size).toString('latin1').slice(0, size).replaceAll(/[!@]/g, '.')
        const answer = await client.ask(Buffer.from(message, 'latin1'))
        expect(answer).toBe(Buffer.from(message, 'latin1').toString())
      }
      expect(await client.close()).toBe(1000)
    }
    expect(shards).toEqual(new Set(['0', '1']))
    await server?.finish()
  })

  test('many small messages in flight stay in order', async () => {
    const { port } = await start()
    const client = await Client.open(port)
    const count = 20_000
    for (let i = 0; i < count; i++) client.socket.send(`${i}`)
    for (let i = 0; i < count; i++) expect(await client.next()).toBe(`${i}`)
    await client.close()
    await server?.finish()
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s', async version => {
    const { port } = await start()
    const client = await Client.open(port, { minVersion: version, maxVersion: version })
    expect(await client.facts()).toMatchObject({ version, resumed: false, authorized: false })
  })

  test('speaks nothing older, nor what minVersion leaves out', async () => {
    const { port } = await start()
    const ciphers = 'DEFAULT@SECLEVEL=0'
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers } as const
    expect(await failure(port, old)).toMatch(/alert protocol version/)
    server?.kill()
    const strict = await start({}, { minVersion: 'TLSv1.3' })
    expect(await failure(strict.port, { maxVersion: 'TLSv1.2' })).toMatch(/alert protocol version/)
    await until('it is counted', async () => (await strict.stats()).total.tlsHandshakesFailed === 1)
  })

  test('compresses messages before it encrypts them', async () => {
    const { port } = await start({ perMessageDeflate: true })
    const client = await Client.open(port)
    expect(client.socket.extensions).toContain('permessage-deflate')
    for (const size of [10, 5000, 900_000]) {
      const text = 'shard '.repeat(size / 5).slice(0, size)
      const before = client.stream.bytesRead
      expect((await client.ask(text)) === text).toBe(true)
      if (size > 1024) expect(client.stream.bytesRead - before).toBeLessThan(size / 10)
    }
    await client.close()
  })

  test('agrees on HTTP/1.1 and on nothing else', async () => {
    const { port } = await start()
    const socket = connect({
      port,
      host: '127.0.0.1',
      ca: authority.root.cert,
      ALPNProtocols: ['h2', 'http/1.1'],
    })
    closers.push(() => socket.destroy())
    await once(socket, 'secureConnect')
    expect(socket.alpnProtocol).toBe('http/1.1')
    expect(await failure(port, { ALPNProtocols: ['h2'] })).toMatch(/alert no application protocol/)
  })

  test('answers HTTP, and refuses upgrades with a response', async () => {
    const { port } = await start()
    expect(await fetch({ port, path: '/healthz' })).toEqual({ status: 200, body: 'ok\n' })
    expect(await fetch({ port, path: '/nothing' })).toMatchObject({ status: 426 })
    const refused = await fetch({
      port,
      path: '/?status=403',
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      },
    })
    expect(refused).toEqual({ status: 403, body: 'not you' })
  })

  test('HTTP requests with bodies go on where the head was read', async () => {
    const { port } = await start({ app: 'tls-http-app.mjs' })
    for (const size of [0, 10, 20_000, 300_000]) {
      const sent = request({ port, host: '127.0.0.1', ca: authority.root.cert, method: 'POST', path: '/sum' })
      sent.end(Buffer.alloc(size, 1))
      const [response] = await soon('a response', once(sent, 'response'))
      let body = ''
      for await (const chunk of response) body += String(chunk)
      expect(body).toBe(`${size} bytes over TLS`)
    }
  })

  test('close 1001 when the server stops, TLS handshakes that are under way are cut', async () => {
    const echo = await start()
    const client = await Client.open(echo.port)
    const silent = connectTcp(echo.port, '127.0.0.1')
    await until('both are there', async () => (await echo.stats()).total.sockets === 2)
    const closed = once(client.socket, 'close')
    const cut = closing(silent)
    await echo.close()
    expect((await soon('the client is told', closed))[0]).toBe(1001)
    await soon('the other is cut', cut)
  })

  test('a client that ends its half gets the answers to what it had sent', async () => {
    const echo = await start()
    const raw = connectTcp({ port: echo.port, host: '127.0.0.1', allowHalfOpen: true })
    closers.push(() => raw.destroy())
    const stream = connect({ socket: raw, ca: authority.root.cert, host: '127.0.0.1' })
    await soon('TLS is there', once(stream, 'secureConnect'))
    let received = ''
    stream.on('data', chunk => {
      received += chunk.toString('latin1')
    })
    const ended = once(stream, 'end')
    stream.end(Buffer.concat([Buffer.from(openingRequest()), textFrame('now'), textFrame('!later then')]))
    await soon('the server ends its half', ended)
    expect(received).toMatch(/^HTTP\/1.1 101 .*now.*then$/s)
    await echo.finish()
  })

  test('a shard that runs in the main thread does it too', async () => {
    const { key, cert } = localhost
    server = await ServerProcess.start({ tls: { key, cert } }, 'local')
    const client = await Client.open(server.port)
    expect(await client.ask('hello')).toBe('hello')
    await server.reloadTls({ key: renewed.key, cert: renewed.cert })
    expect((await Client.open(server.port)).stream.getPeerCertificate().subject.CN).toBe('localhost')
    expect((await Client.open(server.port)).stream.getPeerCertificate().subjectaltname).toContain('renewed')
    expect(await client.ask('still there')).toBe('still there')
  })
})

describe('backpressure', () => {
  const MIB = 2 ** 20

  test.each([
    [100, 300_000],
    [60_000, 1000],
    [MIB, 48],
  ])(
    'messages of %i bytes for a client that does not read wait within the bound, and come in order',
    async (size, count) => {
      const echo = await start({ workers: 1 })
      const healthy = await Client.open(echo.port)
      const client = await Client.open(echo.port)
      client.stream.pause()
      const before = await echo.memory()
      let sent = 0
      const pump = (): void => {
        while (sent < count) {
          client.socket.send(`${sent++} `.padEnd(size, '.'))
          if (client.stream.writableLength > 4 * MIB) return void client.stream.once('drain', pump)
        }
      }
      pump()
      let bytesIn = -1
      let rounds = 0
      await until('the server stops reading', async () => {
        for (let i = 0; i < 5; i++) expect(await healthy.ask(`healthy ${i}`)).toBe(`healthy ${i}`)
        const { total } = await echo.stats()
        rounds = total.bytesIn - bytesIn < 1000 ? rounds + 1 : 0
        bytesIn = total.bytesIn
        return rounds === 20
      })
      expect(bytesIn).toBeLessThan(size * count)
      const { mostBuffered } = await echo.app()
      expect(mostBuffered).toBeGreaterThan(0)
      expect(mostBuffered).toBeLessThanOrEqual(2 * 65_536 + size + 14)
      const stalled = await echo.memory()
      expect(stalled.heapUsed + stalled.external - before.heapUsed - before.external).toBeLessThan(8 * MIB)

      client.stream.resume()
      const wrong: string[] = []
      for (let i = 0; i < count; i++) {
        const answer = await client.next()
        if (answer.length !== size || !answer.startsWith(`${i} `)) wrong.push(`${i}: ${answer.slice(0, 20)}`)
      }
      expect(wrong).toEqual([])
      await client.close()
      await healthy.close()
      await echo.finish()
    },
  )

  test('send says what waits, drain comes when it has gone', async () => {
    const echo = await start({ workers: 1, maxBackpressure: 4 * MIB, backpressurePolicy: 'drop' })
    const client = await Client.open(echo.port)
    client.stream.pause()
    client.socket.send('!flood 300 100000')
    await until('something waits', async () => (await echo.stats()).total.messagesDropped > 0)
    client.stream.resume()
    let count = 0
    let text = await client.next()
    for (; !text.startsWith('drained'); text = await client.next()) expect(text).toMatch(`${count++} `)
    const { sent = 0, buffered, dropped } = JSON.parse(text.slice(8)) as Record<string, number>
    expect(count).toBe(sent + buffered)
    expect(dropped).toBe((await echo.stats()).total.messagesDropped)
    // What the kernel took, what waited within the bound, and no more.
    expect(buffered * 100_000).toBeLessThanOrEqual(4 * MIB + 100_000)
    expect(buffered * 100_000).toBeGreaterThan(2 * MIB)
    expect((await echo.app()).drains).toBeGreaterThan(0)
  })

  test('a client that takes nothing is closed with 1008 at maxBackpressure', async () => {
    const echo = await start({ workers: 1, closeTimeoutMs: 500 })
    const client = await Client.open(echo.port)
    client.stream.pause()
    client.socket.send('!flood 300 100000')
    await until('it is closed', async () => (await echo.app()).closes === 1)
    expect((await echo.app()).codes).toEqual({ 1008: 1 })
  })
})

/** A server in this process, for what can't be sent to another. */
async function serveHere(options: ServeOptions): Promise<Server> {
  const app = new URL('../fixtures/test-app.mjs', import.meta.url)
  const here = await serve({ host: '127.0.0.1', port: 0, workers: 2, logLevel: 'error', app, ...options })
  closers.push(() => here.close({ timeoutMs: 1000 }))
  return here
}

function portOf(here: Server): number {
  return here.address()?.port ?? 0
}

describe('sessions', () => {
  /** A client, the shard that it came to, and its session. */
  async function visit(port: number, version: 'TLSv1.2' | 'TLSv1.3', options: ConnectionOptions = {}) {
    const client = await Client.open(port, { minVersion: version, maxVersion: version, ...options })
    const [shard, facts] = [await client.ask('!shard'), await client.facts()]
    return { client, shard, facts, session: client.session }
  }

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'of %s, from one shard, are resumed on another',
    async version => {
      const { port } = await start()
      const first = await visit(port, version)
      expect(first.facts.resumed).toBe(false)
      const resumedOn = new Set<string>()
      for (let i = 0; i < 4; i++) {
        const { shard, facts } = await visit(port, version, { session: first.session })
        expect(facts).toMatchObject({ version, resumed: true })
        resumedOn.add(shard)
      }
      expect(resumedOn).toEqual(new Set(['0', '1']))
    },
  )

  test('are resumed at another server that has the same ticketKeys, and at no other', async () => {
    const { key, cert } = localhost
    const ticketKeys = randomBytes(48)
    const [one, two, other] = [
      await serveHere({ tls: { key, cert, ticketKeys } }),
      await serveHere({ tls: { key, cert, ticketKeys } }),
      await serveHere({ tls: { key, cert } }),
    ]
    const { session } = await visit(portOf(one), 'TLSv1.3')
    expect((await visit(portOf(two), 'TLSv1.3', { session })).facts.resumed).toBe(true)
    expect((await visit(portOf(other), 'TLSv1.3', { session })).facts.resumed).toBe(false)
  })
})

describe('certificates by name', () => {
  test('a name, a name with a star, and for all others the default one', async () => {
    const [chat, any] = [authority.server('chat', 'chat.example'), authority.server('any', '*.any.example')]
    const { port } = await start(
      {},
      {
        sni: {
          'chat.example': { key: chat.key, cert: chat.cert },
          '*.any.example': { key: any.keyFile, cert: any.certFile },
        },
      },
    )
    const subject = async (servername: string): Promise<string> => {
      const client = await Client.open(port, { servername, checkServerIdentity: () => undefined })
      const facts = await client.facts()
      expect(facts.servername).toBe(servername === '' ? undefined : servername)
      return client.stream.getPeerCertificate().subject.CN as string
    }
    expect(await subject('chat.example')).toBe('chat.example')
    expect(await subject('CHAT.Example')).toBe('chat.example')
    expect(await subject('a.any.example')).toBe('*.any.example')
    expect(await subject('a.b.any.example')).toBe('localhost')
    expect(await subject('any.example')).toBe('localhost')
    expect(await subject('other.example')).toBe('localhost')
    expect(await subject('')).toBe('localhost')
  })

  test('clients check them: the right one is trusted, the default one is not', async () => {
    const chat = authority.server('chat', 'chat.example')
    const { port } = await start({}, { sni: { 'chat.example': { key: chat.key, cert: chat.cert } } })
    const client = await Client.open(port, { servername: 'chat.example' })
    expect(await client.ask('hello')).toBe('hello')
    expect(await failure(port, { servername: 'other.example' })).toMatch(/does not match/)
  })

  test('sessions of names are resumed on all shards, with client certificates too', async () => {
    const chat = authority.server('chat', 'chat.example')
    const { port } = await start(
      {},
      {
        sni: { 'chat.example': { key: chat.key, cert: chat.cert } },
        requestCert: true,
        ca: authority.root.cert,
      },
    )
    const options = { servername: 'chat.example', key: ada.key, cert: ada.cert }
    const first = await Client.open(port, options)
    expect(await first.facts()).toMatchObject({ resumed: false, authorized: true })
    const shards = new Set<string>()
    for (let i = 0; i < 4; i++) {
      const again = await Client.open(port, { ...options, session: first.session })
      expect(await again.facts()).toMatchObject({ resumed: true, authorized: true, certificate: 'CN=Ada' })
      shards.add(await again.ask('!shard'))
    }
    expect(shards.size).toBe(2)
  })
})

describe('client certificates', () => {
  let stranger: Certificate

  beforeAll(async () => {
    const other = await Authority.create('Another Authority')
    stranger = other.client('stranger', 'Stranger')
    await other.remove()
  })

  function rules(rejectUnauthorized: boolean) {
    return { requestCert: true, rejectUnauthorized, ca: authority.root.certFile }
  }

  test('a trusted one gets in, and upgrade sees whose it is', async () => {
    const { port } = await start({}, rules(true))
    const client = await Client.open(port, { key: ada.key, cert: ada.cert })
    const facts = await client.facts()
    expect(facts).toMatchObject({ authorized: true, certificate: 'CN=Ada' })
    expect(facts.authorizationError).toBeUndefined()
    await client.close()
    await server?.finish()
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'others do not, in %s, before anything is read',
    async version => {
      const echo = await start({}, rules(true))
      const only = { minVersion: version, maxVersion: version }
      expect(await failure(echo.port, only)).toMatch(
        /closed|certificate required|handshake failure|ECONNRESET/,
      )
      const { key, cert } = stranger
      expect(await failure(echo.port, { ...only, key, cert })).toMatch(/closed|disconnected|ECONNRESET|EPIPE/)
      await until('both are counted', async () => (await echo.stats()).total.tlsHandshakesFailed === 2)
      const { total } = await echo.stats()
      expect(total).toMatchObject({ connectionsTotal: 0, handshakesRefused: 0, bytesIn: 0 })
      expect(echo.output).toBe('')
      await echo.finish()
    },
  )

  test('with rejectUnauthorized: false the application decides', async () => {
    const { port } = await start({}, rules(false))
    const none = await (await Client.open(port)).facts()
    expect(none).toMatchObject({ authorized: false, authorizationError: 'UNABLE_TO_GET_ISSUER_CERT' })
    expect(none.certificate).toBeUndefined()
    const { key, cert } = stranger
    expect(await (await Client.open(port, { key, cert })).facts()).toMatchObject({
      authorized: false,
      authorizationError: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      certificate: 'CN=Stranger',
    })
    expect(await (await Client.open(port, ada)).facts()).toMatchObject({ authorized: true })
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a session of %s does not make a stranger trusted',
    async version => {
      const { port } = await start({}, rules(false))
      for (const own of [{}, { key: stranger.key, cert: stranger.cert }]) {
        const options = { ...own, minVersion: version, maxVersion: version }
        const first = await Client.open(port, options)
        expect(await first.facts()).toMatchObject({ resumed: false, authorized: false })
        const again = await Client.open(port, { ...options, session: first.session })
        expect(await again.facts()).toMatchObject({ resumed: true, authorized: false })
      }
    },
  )

  test('a session from before they were asked for is not resumed, whatever the ticketKeys', async () => {
    const { key, cert } = localhost
    const ticketKeys = randomBytes(48)
    const here = await serveHere({ tls: { key, cert, ticketKeys } })
    const client = await Client.open(portOf(here))
    await client.facts()
    const { session } = client
    here.reloadTls({ key, cert, ticketKeys, ...rules(false) })
    const again = await Client.open(portOf(here), { session })
    expect(await again.facts()).toMatchObject({ resumed: false, authorized: false })
    here.reloadTls({ key, cert, ticketKeys, ...rules(true) })
    expect(await failure(portOf(here), { session })).toMatch(/closed|certificate required|ECONNRESET/)
    expect(here.stats().total.connections).toBe(2)
  })
})

describe('reload', () => {
  const nameOf = (client: Client): string => client.stream.getPeerCertificate().subjectaltname ?? ''

  test('new connections get the new certificate on every shard, the others go on', async () => {
    const echo = await start()
    const old = [await Client.open(echo.port), await Client.open(echo.port)]
    await echo.reloadTls({ key: renewed.key, cert: renewed.cert })
    for (let i = 0; i < 4; i++) {
      const client = await Client.open(echo.port)
      expect(nameOf(client)).toContain('renewed.example')
      expect(await client.ask('hello')).toBe('hello')
    }
    for (const client of old) {
      expect(await client.ask('still there')).toBe('still there')
      expect(nameOf(client)).not.toContain('renewed.example')
    }
  })

  test('a handshake that is under way ends with the old one', async () => {
    const echo = await start({ workers: 1 })
    const raw = connectTcp(echo.port, '127.0.0.1')
    closers.push(() => raw.destroy())
    await until('it is adopted', async () => (await echo.stats()).total.sockets === 1)
    await echo.reloadTls({ key: renewed.key, cert: renewed.cert })
    const stream = connect({ socket: raw, ca: authority.root.cert, host: '127.0.0.1' })
    await soon('TLS is there', once(stream, 'secureConnect'))
    expect(stream.getPeerCertificate().subjectaltname).not.toContain('renewed.example')
  })

  test('a shard that takes the place of a crashed one has the new certificate', async () => {
    const echo = await start({ workers: 1 })
    await echo.reloadTls({ key: renewed.key, cert: renewed.cert })
    const client = await Client.open(echo.port)
    const closed = once(client.socket, 'close')
    client.socket.send('!crash')
    await soon('the shard crashes', closed)
    await until('it is back', async () => {
      const [shard] = (await echo.stats()).shards
      return shard?.restarts === 1 && shard.state === 'ready'
    })
    expect(nameOf(await Client.open(echo.port))).toContain('renewed.example')
  })

  test('what can not be used changes nothing', async () => {
    const echo = await start()
    await expect(echo.reloadTls({ key: localhost.key, cert: renewed.cert })).rejects.toThrow(
      /tls: the key does not belong to the certificate/,
    )
    await expect(echo.reloadTls()).rejects.toThrow(/names no files/)
    await expect(echo.reloadTls({ key: localhost.key } as never)).rejects.toThrow(/tls\.cert is missing/)
    expect(nameOf(await Client.open(echo.port))).toBe('DNS:localhost, IP Address:127.0.0.1')
    server?.kill()
    server = await ServerProcess.start()
    await expect(server.reloadTls(localhost)).rejects.toThrow(/started without the option tls/)
  })

  test('SIGHUP has the command read its files again', async () => {
    const live = authority.server('live', 'localhost')
    const command = await Command.listening(['--tls-key', live.keyFile, '--tls-cert', live.certFile])
    closers.push(() => command.kill('SIGKILL'))
    expect(command.url).toMatch(/^wss:/)
    const port = Number(new URL(command.url).port)
    const old = await Client.open(port)
    expect(nameOf(old)).not.toContain('live.example')

    authority.server('live', 'localhost', 'live.example')
    command.kill('SIGHUP')
    await command.output('stdout', /SIGHUP: new connections/)
    expect(nameOf(await Client.open(port))).toContain('live.example')

    await writeFile(live.certFile, localhost.cert)
    command.kill('SIGHUP')
    await command.output('stderr', /SIGHUP: the reload failed, and .*: tls: the key does not belong/)
    expect(nameOf(await Client.open(port))).toContain('live.example')
    expect(await old.ask('PING')).toBe('PONG')
    expect((await command.stop()).code).toBe(0)
  })
})

describe('who speaks something else', () => {
  async function exchange(port: number, bytes: string | Buffer): Promise<string> {
    const socket = connectTcp({ port, host: '127.0.0.1' })
    closers.push(() => socket.destroy())
    let received = ''
    socket.on('data', chunk => {
      received += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    const closed = closing(socket)
    socket.write(bytes)
    await soon('it ends', closed, 3000)
    return received
  }

  test('HTTP, a WebSocket and garbage on the TLS port end at once, without a word in the log', async () => {
    const echo = await start({ logLevel: 'info', metricsPath: '/metrics' })
    const healthy = await Client.open(echo.port)
    expect(await exchange(echo.port, openingRequest())).not.toContain('HTTP')
    expect(await exchange(echo.port, 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')).not.toContain('HTTP')
    expect(await exchange(echo.port, randomBytes(1000).fill(0xff, 0, 1))).not.toContain('HTTP')
    await until('all are counted', async () => (await echo.stats()).total.tlsHandshakesFailed === 3)
    const { body } = await fetch({ port: echo.port, path: '/metrics' })
    expect(metric(parseMetrics(body), 'shardws_tls_handshakes_failed_total')).toBe(3)
    expect((await echo.stats()).total.handshakesRefused).toBe(0)
    expect(await healthy.ask('still there')).toBe('still there')
    expect(echo.output).toBe('')
    await healthy.close()
    await echo.finish()
  })

  test('TLS on the plain port ends at once, without a word in the log', async () => {
    const echo = await ServerProcess.start({ logLevel: 'info' })
    server = echo
    expect(await failure(echo.port)).toMatch(/wrong version number|EPROTO/)
    await until('it is counted', async () => (await echo.stats()).total.handshakesRefused === 1)
    await echo.empty()
    expect(echo.output).toBe('')
    await echo.finish()
  })

  test.each(['reset', 'FIN'])('a %s in every part of the handshake ends it at once', async how => {
    const echo = await start({ logLevel: 'info', handshakeTimeoutMs: 60_000 })
    const hello = await clientHello()
    for (const length of [0, 1, 5, 100, hello.length - 1, hello.length]) {
      const socket = connectTcp({ port: echo.port, host: '127.0.0.1' })
      await once(socket, 'connect')
      await new Promise(resolve => socket.write(hello.subarray(0, length), resolve))
      if (length === hello.length) await once(socket, 'data')
      if (how === 'reset') socket.resetAndDestroy()
      else socket.end()
    }
    await echo.empty()
    const { total, refused } = await echo.stats()
    // Who has gone before it was accepted gets no further.
    expect(total.socketsTotal + refused.handoff).toBe(6)
    // A reset takes bytes with it that were not read yet.
    if (how === 'FIN') expect(total.tlsHandshakesFailed).toBe(5)
    else expect(total.tlsHandshakesFailed).toBeLessThanOrEqual(5)
    expect(echo.output).toBe('')
    await echo.finish()
  })

  test('a handshake that stands still is over after handshakeTimeoutMs, in any part', async () => {
    const echo = await start({ handshakeTimeoutMs: 300 })
    const hello = await clientHello()
    const began = performance.now()
    await Promise.all([
      exchange(echo.port, ''),
      exchange(echo.port, hello.subarray(0, 50)),
      exchange(echo.port, hello),
    ])
    const tookMs = performance.now() - began
    expect(tookMs).toBeGreaterThan(300)
    // Over TLS there is an answer.
    expect(
      await (async () => {
        const socket = connect({ port: echo.port, host: '127.0.0.1', ca: authority.root.cert })
        closers.push(() => socket.destroy())
        const [chunk] = (await soon('an answer', once(socket, 'data'))) as [Buffer]
        return chunk.toString()
      })(),
    ).toMatch(/^HTTP\/1.1 408 /)
    await echo.empty()
    expect((await echo.stats()).total).toMatchObject({ handshakesRefused: 4, tlsHandshakesFailed: 2 })
  })

  test('bytes that are not what TLS sent end the connection, not the shard', async () => {
    const echo = await start({ logLevel: 'info' })
    const healthy = await Client.open(echo.port)
    const raw = connectTcp(echo.port, '127.0.0.1')
    closers.push(() => raw.destroy())
    const stream = connect({ socket: raw, ca: authority.root.cert, host: '127.0.0.1' })
    await soon('TLS is there', once(stream, 'secureConnect'))
    stream.write(openingRequest())
    await soon('the WebSocket opens', once(stream, 'data'))
    stream.on('error', () => {})
    const ended = closing(stream)
    // A record of application data that nobody has sealed.
    raw.write(Buffer.concat([Buffer.from([23, 3, 3, 0, 100]), randomBytes(100)]))
    await soon('it ends', ended)
    await until('the application is told', async () => (await echo.app()).codes[1006] === 1)
    expect(await healthy.ask('still there')).toBe('still there')
    expect(echo.output).toBe('')
    await healthy.close()
    await echo.finish()
  })

  test('renegotiation ends the connection', async () => {
    const echo = await start()
    const client = await Client.open(echo.port, { maxVersion: 'TLSv1.2' })
    client.socket.on('error', () => {})
    const closed = closing(client.socket)
    client.stream.renegotiate({}, () => {})
    await soon('it ends', closed)
    await until('the application is told', async () => (await echo.app()).codes[1006] === 1)
    expect((await echo.stats()).total.connections).toBe(0)
    await echo.finish()
  })
})

describe('what can not be used', () => {
  const attempt = (tls: object): Promise<unknown> => serveHere({ tls: tls as never })

  test.each([
    [
      'a key of another certificate',
      () => ({ key: renewed.key, cert: localhost.cert }),
      /key does not belong/,
    ],
    [
      'no file',
      () => ({ key: '/no/such/key.pem', cert: localhost.cert }),
      /key\.pem can't be read \(ENOENT\)/,
    ],
    ['no PEM', () => ({ key: localhost.keyFile, cert: 'package.json' }), /is no PEM file/],
    [
      'rubbish in PEM',
      () => ({ key: '-----BEGIN PRIVATE KEY-----\n', cert: localhost.cert }),
      /OpenSSL can't use/,
    ],
    [
      'sni',
      () => ({ ...localhostPair(), sni: { a: { key: renewed.key, cert: localhost.cert } } }),
      /tls\.sni\['a'\]/,
    ],
    ['ciphers', () => ({ ...localhostPair(), ciphers: 'NONE' }), /OpenSSL can't use/],
    [
      'ca',
      () => ({ ...localhostPair(), requestCert: true, ca: '-----BEGIN CERTIFICATE-----\n' }),
      /OpenSSL can't use/,
    ],
  ])('%s makes serve reject, and says why', async (_, tls, text) => {
    await expect(attempt(tls())).rejects.toMatchObject({
      code: 'ERR_TLS',
      message: expect.stringMatching(text) as string,
    })
  })

  test('the command says it in one line', async () => {
    const command = new Command([
      '--port',
      '0',
      '--tls-key',
      renewed.keyFile,
      '--tls-cert',
      localhost.certFile,
    ])
    const { code, stdout, stderr } = await command.ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^shardws: tls: the key does not belong to the certificate[^\n]*\n$/)
  })

  function localhostPair(): { key: string; cert: string } {
    return { key: localhost.key, cert: localhost.cert }
  }
})
