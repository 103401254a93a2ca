// The bounds of what strangers can make grow: each is reached, is kept to, and is counted.
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import type { ServeOptions, Server } from '../../src/index.js'
import { compressed, deflateMessage } from '../support/compressed-frames.js'
import { BINARY, closeFrame, frame, TEXT } from '../support/frames.js'
import { parseMetrics, type Samples, total } from '../support/metrics.js'
import { Random } from '../support/random.js'
import { soon, until } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

const { serve } = (await import(
  new URL('../../dist/index.js', import.meta.url).href
)) as typeof import('../../src/index.js')

const app = fileURLToPath(new URL('../fixtures/test-app.mjs', import.meta.url))
const httpApp = fileURLToPath(new URL('../fixtures/http-app.mjs', import.meta.url))
const clients: WireClient[] = []
/** Of the log. */
const lines: { level: string; text: string; facts: Record<string, unknown> }[] = []

let server: Server
let port: number

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy()
  lines.length = 0
  await server?.close({ timeoutMs: 0 })
})

async function start(options: ServeOptions = {}): Promise<void> {
  const log = (level: string) => (facts: object, line: string) => {
    lines.push({ level, text: line, facts: facts as Record<string, unknown> })
  }
  server = await serve({
    app,
    port: 0,
    host: '127.0.0.1',
    adminPort: 0,
    workers: 2,
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    ...options,
  })
  ;({ port } = server.address() as AddressInfo)
}

async function scrape(): Promise<Samples> {
  const admin = (server.adminAddress() as AddressInfo).port
  const request = get({ port: admin, host: '127.0.0.1', path: '/metrics', agent: false })
  const [response] = (await soon('the metrics', once(request, 'response'))) as [IncomingMessage]
  return parseMetrics(await text(response))
}

async function connect(from = '127.0.0.1'): Promise<WireClient> {
  const client = await WireClient.connectFrom(from, port)
  clients.push(client)
  return client
}

async function open(from?: string): Promise<WireClient> {
  const client = await connect(from)
  client.send(openingRequest())
  await client.handshake()
  return client
}

const warnings = () => lines.filter(({ level }) => level === 'warn')

describe('maxHandshakes', () => {
  const inProgress = async (wanted: number): Promise<void> => {
    await until(`${wanted} handshakes in progress`, () => server.stats().total.handshakes === wanted)
  }

  test('closes what comes beyond it as it comes, and tells so once a second', async () => {
    await start({ maxHandshakes: 3, handshakeTimeoutMs: 60_000 })
    const waiting = []
    for (let i = 0; i < 3; i++) waiting.push(await connect())
    await inProgress(3)
    for (let i = 0; i < 5; i++) await (await connect()).ended()
    expect(server.stats().refused.maxHandshakes).toBe(5)
    const samples = await scrape()
    expect(samples.get('shardws_connections_refused_total{reason="max_handshakes"}')).toBe(5)
    expect(total(samples, 'shardws_handshakes')).toBe(3)
    expect(warnings()[0]).toMatchObject({
      text: 'connections are closed as they come: maxHandshakes is 3',
      facts: { event: 'connection.denied', reason: 'maxHandshakes', times: 1 },
    })
    expect(warnings().length).toBeLessThan(5)

    // Who is through makes room: by 101, by a refusal, at HTTP, by going away.
    waiting[0].send(openingRequest())
    await waiting[0].handshake()
    await inProgress(2)
    waiting[1].send(openingRequest('/?status=403'))
    expect((await waiting[1].response()).status).toBe(403)
    waiting[2].send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    expect((await waiting[2].response()).status).toBe(200)
    await inProgress(0)
    const [one, other] = [await connect(), await connect()]
    await inProgress(2)
    one.reset()
    other.send('GET / HTTP/1.1\r\n')
    other.end()
    await inProgress(0)
    // HTTP gives a connection back: that is a handshake again.
    waiting[2].send(openingRequest('/?wait=1500'))
    await inProgress(1)
    await waiting[2].handshake()
    await inProgress(0)
    expect(await (await open()).ask('hello')).toBe('hello')
  })

  test('counts each once at any moment, also on its way to the shard', async () => {
    await start({ handshakeTimeoutMs: 60_000, maxHandshakeRatePerIp: 0 })
    const most = 300
    for (let there = 1; there <= most; there++) {
      const connecting = connect()
      let seen = 0
      // Between two turns of this thread, in the one of which the connection is sent, the shard takes it over.
      for (let adopted = 0; adopted < there; ) {
        await new Promise(setImmediate)
        const endMs = performance.now() + 0.5
        do {
          const { total: now } = server.stats()
          seen = Math.max(seen, now.handshakes)
          adopted = now.socketsTotal
        } while (performance.now() < endMs)
      }
      expect(seen).toBe(there)
      await connecting
    }
    await inProgress(most)
  })

  test('a shard that crashes leaves none in progress', async () => {
    await start({ maxHandshakes: 4, workers: 1, stopTimeoutMs: 0 })
    server.on('shardError', () => {})
    const bystander = await open()
    for (let i = 0; i < 4; i++) await connect()
    await inProgress(4)
    bystander.sendText('!crash')
    await bystander.ended()
    await until('the next shard', () => {
      const [{ state, restarts }] = server.stats().shards
      return restarts === 1 && state === 'ready'
    })
    await inProgress(0)
    for (let i = 0; i < 4; i++) await connect()
    await inProgress(4)
    expect(server.stats().refused.maxHandshakes).toBe(0)
  })
})

describe('maxHandshakeRatePerIp', () => {
  test('closes whoever comes faster, and nobody else', async () => {
    await start({ maxHandshakeRatePerIp: 1 })
    const begin = performance.now()
    let refused = 0
    for (let i = 0; i < 15; i++) {
      const client = await connect('127.0.0.2')
      client.send(openingRequest())
      const isOpen = await client.handshake().then(
        () => true,
        () => false,
      )
      if (!isOpen) refused++
    }
    const seconds = (performance.now() - begin) / 1000
    expect(refused).toBeLessThanOrEqual(5)
    expect(refused).toBeGreaterThanOrEqual(4 - Math.ceil(seconds))
    expect(refused).toBeGreaterThan(0)
    expect(await (await open('127.0.0.3')).ask('hello')).toBe('hello')
    expect(server.stats().refused.maxHandshakeRatePerIp).toBe(refused)
    const samples = await scrape()
    expect(samples.get('shardws_connections_refused_total{reason="max_handshake_rate_per_ip"}')).toBe(refused)
    expect(warnings()[0].text).toContain('maxHandshakeRatePerIp is 1')
    // It may come again later.
    await until('another connection', async () => {
      const client = await connect('127.0.0.2')
      client.send(openingRequest())
      return client.handshake().catch(() => undefined)
    })
  })

  test('is counted before maxHandshakes: who takes all places has not saved up for more', async () => {
    await start({ maxHandshakes: 2, maxHandshakeRatePerIp: 1 })
    for (let i = 0; i < 14; i++) {
      const client = await connect('127.0.0.2')
      if (i > 1) await client.ended()
    }
    const { maxHandshakes, maxHandshakeRatePerIp } = server.stats().refused
    expect(maxHandshakes).toBeGreaterThanOrEqual(8)
    expect(maxHandshakeRatePerIp).toBeGreaterThan(0)
    expect(maxHandshakes + maxHandshakeRatePerIp).toBe(12)
  })

  test('counts a connection once, that of a proxy with plain HTTP before WebSocket too', async () => {
    await start({ maxHandshakeRatePerIp: 1, trustProxy: ['127.0.0.9'], proxyProtocol: true })
    for (let i = 0; i < 8; i++) {
      const client = await connect('127.0.0.9')
      client.send(Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n'))
      client.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
      expect((await client.response()).status).toBe(200)
      client.send(openingRequest())
      await client.handshake()
    }
  })

  test('is for the clients of proxies, too, and not for the proxies', async () => {
    await start({ maxHandshakeRatePerIp: 1, trustProxy: ['127.0.0.9'] })
    const ask = async (address: string): Promise<number> => {
      const client = await connect('127.0.0.9')
      client.send(openingRequest('/', [`X-Forwarded-For: ${address}`]))
      const { status } = await client.response()
      return status
    }
    const statuses = []
    for (let i = 0; i < 15; i++) statuses.push(await ask('203.0.113.7'))
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(101))
    expect(statuses).toContain(429)
    expect(await ask('203.0.113.8')).toBe(101)
    expect(server.stats().refused.maxHandshakeRatePerIp).toBe(0)
    const refused = statuses.filter(status => status === 429).length
    const samples = await scrape()
    expect(samples.get('shardws_handshakes_refused_total{reason="too_fast"}')).toBe(refused)
  })
})

describe('maxConnectionsPerIp', () => {
  test('closes what one client has too many of, and says who that is and what to do', async () => {
    await start({ maxConnectionsPerIp: 3 })
    const first = await open('127.0.0.2')
    for (let i = 0; i < 2; i++) await open('127.0.0.2')
    for (let i = 0; i < 4; i++) await (await connect('127.0.0.2')).ended()
    expect(server.stats().refused.maxConnectionsPerIp).toBe(4)
    const samples = await scrape()
    expect(samples.get('shardws_connections_refused_total{reason="max_connections_per_ip"}')).toBe(4)
    expect(warnings()[0]).toMatchObject({
      text: expect.stringMatching(/maxConnectionsPerIp is 3, and 127\.0\.0\.2 .* trustProxy/) as unknown,
      facts: { event: 'connection.denied', reason: 'maxConnectionsPerIp', remoteAddress: '127.0.0.2' },
    })
    expect(await (await open('127.0.0.3')).ask('hello')).toBe('hello')
    first.reset()
    await until('there is room', () => server.stats().admitted === 3)
    expect(await (await open('127.0.0.2')).ask('hello')).toBe('hello')
  })

  test('is for requests of plain HTTP that a proxy brings as well, while they are in progress', async () => {
    await start({
      maxConnectionsPerIp: 2,
      trustProxy: ['127.0.0.9'],
      app: httpApp,
      // One after the other, so that who has a response has been counted.
      workers: 1,
      // Nothing else ends meanwhile.
      httpKeepAliveMs: 60_000,
      closeTimeoutMs: 60_000,
    })
    const request = (from: string) => `POST / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${from}\r\n`
    // Bodies that are waited for.
    const begin = async (): Promise<WireClient> => {
      const client = await connect('127.0.0.9')
      client.send(`${request('203.0.113.7')}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhe`)
      expect((await client.response()).status).toBe(100)
      return client
    }
    const slow = [await begin(), await begin()]
    const asks = async (client: WireClient, from: string): Promise<number> => {
      client.send(`${request(from)}Content-Length: 5\r\n\r\nhello`)
      return (await client.response()).status
    }
    const other = await connect('127.0.0.9')
    expect(await asks(other, '203.0.113.7')).toBe(429)
    expect(await asks(other, '203.0.113.8')).toBe(200)
    const late = await connect('127.0.0.9')
    late.send(openingRequest('/', ['X-Forwarded-For: 203.0.113.7']))
    expect((await late.response()).status).toBe(429)
    expect(server.stats().total.httpClientsRefused).toBe(1)
    expect(total(await scrape(), 'shardws_http_clients_refused_total')).toBe(1)

    // The end of a request makes room, and so does that of a connection in the midst of one.
    slow[0].send('llo')
    expect((await slow[0].response()).status).toBe(200)
    expect(await asks(other, '203.0.113.7')).toBe(200)
    slow[1].reset()
    await until('it has gone', () => server.stats().admitted === 3)
    const upgrade = async (): Promise<number> => {
      const client = await connect('127.0.0.9')
      client.send(openingRequest('/', ['X-Forwarded-For: 203.0.113.7']))
      return (await client.response()).status
    }
    expect([await upgrade(), await upgrade(), await upgrade()]).toEqual([101, 101, 429])
    expect(await asks(other, '203.0.113.7')).toBe(429)
  })
})

describe('plain HTTP', () => {
  const request = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'

  test('a connection ends with maxHttpRequests, whatever comes behind, and after httpKeepAliveMs', async () => {
    await start({ maxHttpRequests: 3, httpKeepAliveMs: 100 })
    const greedy = await connect()
    greedy.send(request.repeat(10))
    const answers = []
    for (let i = 0; i < 3; i++) answers.push(await greedy.response())
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(answers.map(({ headers }) => headers.connection)).toEqual(['keep-alive', 'keep-alive', 'close'])
    await greedy.ended()
    const idle = await connect()
    idle.send(request)
    expect((await idle.response()).status).toBe(200)
    await idle.ended()
    expect(server.stats().total).toMatchObject({ httpSpentClosed: 1, httpIdleClosed: 1 })
    const samples = await scrape()
    expect(total(samples, 'shardws_http_spent_closed_total')).toBe(1)
    expect(total(samples, 'shardws_http_idle_closed_total')).toBe(1)
    expect(greedy.received).toBeLessThan(4 * idle.received)
  })
})

test('frames that come before the upgrade hook has decided, beyond 64 KiB', async () => {
  await start()
  const [hasty, other] = [await connect(), await connect()]
  other.send(openingRequest('/?wait=1000'))
  other.send(frame(BINARY, Buffer.alloc(1000)))
  hasty.send(openingRequest('/?wait=1000'))
  for (let i = 0; i < 20; i++) hasty.send(frame(BINARY, Buffer.alloc(50_000)))
  await Promise.all([hasty.handshake(), other.handshake()])
  for (let i = 0; i < 20; i++) expect((await hasty.frame()).payload.length).toBe(50_000)
  expect(server.stats().total.earlyFramesHeld).toBe(1)
  expect(total(await scrape(), 'shardws_early_frames_held_total')).toBe(1)
})

describe('maxMemory', () => {
  const MIB = 2 ** 20
  const pinned = async (): Promise<number> => total(await scrape(), 'shardws_pinned_bytes')

  test('whoever asks for more goes without, wherever it is held; then all is given back', async () => {
    await start({ maxMemory: 4 * MIB, maxPayload: 16 * MIB, workers: 2 })
    expect((await scrape()).get('shardws_pinned_limit_bytes')).toBe(4 * MIB)
    const bystanders = [await open(), await open()]
    const greedy = []
    // More than half of it at either shard.
    for (let i = 0; i < 6; i++) greedy.push(await open())
    for (const client of greedy) client.send(frame(BINARY, Buffer.alloc(1_000_000), { fin: false }))
    const ends = await Promise.all(
      greedy.map(client =>
        Promise.race([client.closing(), until('four', async () => (await pinned()) >= 4e6)]),
      ),
    )
    const closed = ends.filter(end => typeof end === 'object')
    expect(closed.length).toBeGreaterThanOrEqual(1)
    expect(closed.map(({ code }) => code)).toEqual(closed.map(() => 1013))
    expect(await pinned()).toBeLessThanOrEqual(4 * MIB)

    // Opening requests are refused as soon as little is left; those who are there go on.
    await until('little is left', async () => {
      const client = await open().catch(() => undefined)
      client?.send(frame(BINARY, Buffer.alloc(30_000), { fin: false }))
      return client === undefined
    })
    const late = await connect()
    late.send(openingRequest())
    expect((await late.response()).status).toBe(503)
    for (const client of bystanders) expect(await client.ask('hello')).toBe('hello')
    const samples = await scrape()
    expect(total(samples, 'shardws_memory_refusals_total')).toBeGreaterThanOrEqual(closed.length + 1)
    expect(warnings().map(({ facts }) => facts.event)).toContain('memory.spent')
    expect(server.stats().total.memoryRefused).toBeGreaterThan(0)

    for (const client of greedy) client.reset()
    for (const client of clients) if (!bystanders.includes(client)) client.socket.destroy()
    await until('all is given back', async () => (await pinned()) === 0)
    expect((await scrape()).get('shardws_connections_closed_total{code="1013"}')).toBeGreaterThanOrEqual(1)
    expect(await (await open()).ask('hello')).toBe('hello')
  })

  test('clients that do not read are closed when it is spent, long before maxBackpressure', async () => {
    await start({ maxMemory: 2 * MIB, maxBackpressure: 512 * MIB, highWaterMark: 2 ** 30, workers: 1 })
    const deaf = await WireClient.connect(port, true)
    clients.push(deaf)
    deaf.send(openingRequest())
    deaf.sendText('!flood 64 1000000')
    await until('it is cut', () => server.stats().total.memoryRefused > 0)
    await until('it is gone', () => server.stats().total.pinnedBytes <= 2 * MIB)
    deaf.reset()
    await until('all is given back', async () => (await pinned()) === 0)
    expect(server.stats().total.connections).toBe(0)
  })

  test('nothing is left after chaos, nor of a shard that crashes', async () => {
    await start({
      maxMemory: 8 * MIB,
      maxPayload: 4 * MIB,
      perMessageDeflate: { threshold: 0 },
      handshakeTimeoutMs: 500,
      closeTimeoutMs: 200,
    })
    server.on('shardError', () => {})
    const random = new Random()
    const deflated = deflateMessage(random.bytes(30_000))
    const moves: ((client: WireClient) => void)[] = [
      client => client.send(frame(BINARY, random.bytes(random.integer(0, 300_000)), { fin: false })),
      client => client.send(frame(0, random.bytes(random.integer(0, 50_000)), { fin: random.next() < 0.5 })),
      client => client.send(compressed(deflated, BINARY)),
      client => client.sendText(`!flood ${random.integer(1, 20)} 100000`),
      client => client.socket.pause(),
      client => client.socket.resume(),
      client => client.send(frame(BINARY, random.bytes(5000), { announced: 3_000_000 })),
      client => client.send(random.bytes(100)),
      client => client.send(closeFrame(1000)),
      client => client.reset(),
      client => client.end(),
    ]
    for (let round = 0; round < 150; round++) {
      const client = await connect()
      client.socket.setNoDelay(true)
      const line = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'
      const request = openingRequest(random.next() < 0.2 ? '/?wait=30' : '/', [line])
      if (random.next() < 0.1) client.send(request.slice(0, random.integer(0, request.length)))
      else client.send(request)
      const count = random.integer(0, 8)
      for (let i = 0; i < count; i++) random.pick(moves)(client)
      if (round === 75) {
        expect(await pinned()).toBeGreaterThan(0)
        const crasher = await open()
        crasher.sendText('!crash')
        await crasher.ended()
      }
    }
    expect(server.stats().total.socketsTotal).toBeGreaterThan(50)
    for (const client of clients.splice(0)) client.socket.destroy()
    await until(`all is given back, seed ${random.seed}`, async () => {
      const { total: now } = server.stats()
      return now.sockets === 0 && now.pinnedBytes === 0 && now.handshakes === 0
    })
    expect(await pinned()).toBe(0)
  })
})

describe('rate limits of one connection', () => {
  const burst = (count: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, (_, i) => frame(TEXT, `${i}`)))

  test('maxMessagesPerSecond holds the client up, and loses nothing', async () => {
    await start({ maxMessagesPerSecond: 20, workers: 1 })
    const [hasty, other] = [await open(), await open()]
    const begin = performance.now()
    hasty.send(burst(50))
    for (let i = 0; i < 10; i++) expect(await other.ask('hello')).toBe('hello')
    for (let i = 0; i < 50; i++) expect(await hasty.text()).toBe(`${i}`)
    // 20 at once, then 20 a second.
    expect(performance.now() - begin).toBeGreaterThan(1400)
    expect(total(await scrape(), 'shardws_rate_limited_total')).toBeGreaterThan(0)
    hasty.send(closeFrame(1000))
    expect((await hasty.closing()).code).toBe(1000)
  })

  test('maxBytesPerSecond does, over TCP, with what is not read yet', async () => {
    await start({ maxBytesPerSecond: 2 ** 20, workers: 1, maxPayload: 2 ** 24 })
    const hasty = await open()
    const begin = performance.now()
    const chunk = frame(BINARY, Buffer.alloc(2 ** 18))
    for (let i = 0; i < 10; i++) hasty.send(chunk)
    for (let i = 0; i < 10; i++) expect((await hasty.frame()).payload.length).toBe(2 ** 18)
    // 2.5 MiB, of which one at once, and a read that was in debt.
    expect(performance.now() - begin).toBeGreaterThan(1000)
    expect(total(await scrape(), 'shardws_rate_limited_total')).toBeGreaterThan(0)
  })

  test('or closes it with 1008, which is what was asked for', async () => {
    await start({ maxMessagesPerSecond: 20, rateLimitPolicy: 'close' })
    const hasty = await open()
    hasty.send(burst(50))
    const { code, before } = await hasty.closing()
    expect([code, before.length]).toEqual([1008, 20])
    hasty.end()
    await until('it is counted', () => server.stats().total.connections === 0)
    expect(server.stats().total.rateLimited).toBe(1)
    const samples = await scrape()
    expect(samples.get('shardws_connections_closed_total{code="1008"}')).toBe(1)
  })
})

test('every limit of a connection is counted by itself', async () => {
  await start({
    maxPayload: 10_000,
    maxFragments: 3,
    maxBackpressure: 20_000,
    highWaterMark: 20_000,
    idlePingMs: 0,
    idleTimeoutMs: 1500,
    closeTimeoutMs: 300,
    handshakeTimeoutMs: 300,
    maxHeaderBytes: 1000,
    maxHeaderLines: 20,
  })
  const codeOf = async (bytes: Uint8Array): Promise<number> => {
    const client = await open()
    client.send(bytes)
    const { code } = await client.closing()
    client.end()
    return code
  }
  expect(await codeOf(frame(BINARY, '', { announced: 10_001 }))).toBe(1009)
  const piece = frame(0, '', { fin: false })
  expect(await codeOf(Buffer.concat([frame(BINARY, '', { fin: false }), piece, piece, piece]))).toBe(1008)

  const deaf = await WireClient.connect(port, true)
  clients.push(deaf)
  deaf.send(openingRequest())
  deaf.sendText('!flood 2000 9000')
  const idle = await open()
  const stubborn = await open()
  stubborn.sendText('!close 4000')
  const statusOf = async (request: string): Promise<number> => {
    const client = await connect()
    client.send(request)
    return (await client.response()).status
  }
  expect(await statusOf(openingRequest('/', [`X: ${'x'.repeat(1000)}`]))).toBe(431)
  const many = Array.from({ length: 20 }, (_, i) => `X-${i}: y`)
  expect(await statusOf(openingRequest('/', many))).toBe(431)
  expect(await statusOf('GET / HTTP/1.1\r\n')).toBe(408)
  const http = await connect()
  http.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  await http.response()
  http.send(`GET /${'x'.repeat(2000)} HTTP/1.1\r\nHost: x\r\n\r\n`)
  expect((await http.response()).status).toBe(431)
  await Promise.all([idle.ended(), stubborn.ended()])
  await until('all are cut', () => server.stats().total.connections === 0)

  const samples = await scrape()
  const counted = (family: string) =>
    Object.fromEntries(
      Array.from(samples)
        .filter(([name, value]) => name.startsWith(`shardws_${family}{`) && value > 0)
        .map(([name, value]) => [/="(.*)"/.exec(name)?.[1], value]),
    )
  expect(counted('limits_reached_total')).toEqual({
    max_payload: 1,
    max_fragments: 1,
    max_backpressure: 1,
    idle_timeout: 1,
    // The one that does not read is waited for as well.
    // Three of those who were refused have not gone.
    close_timeout: 5,
  })
  expect(counted('handshakes_refused_total')).toEqual({ head_too_long: 1, too_many_lines: 1, timeout: 1 })
  expect(total(samples, 'shardws_http_requests_refused_total')).toBe(1)
  expect(server.stats().total.httpRequestsRefused).toBe(1)
})
