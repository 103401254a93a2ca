// HTTP beside WebSocket: ordinary listeners of node:http, and connections that go from one to the other.
import { Agent, get } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { HandoffWay } from '../../src/primary/handoff.js'
import { CLOSE, closeFrame, frame, TEXT } from '../support/frames.js'
import { handoffWays } from '../support/handoff-ways.js'
import { ServerProcess } from '../support/server-process.js'
import { soon } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

const clients: WireClient[] = []

afterEach(() => {
  for (const client of clients.splice(0)) client.end()
})

async function connect(to: ServerProcess): Promise<WireClient> {
  const client = await WireClient.connect(to.port)
  clients.push(client)
  return client
}

const request = (line: string, ...lines: string[]): string =>
  `${[`${line} HTTP/1.1`, 'Host: x', ...lines].join('\r\n')}\r\n\r\n`

const post = (body: string): string =>
  `${request('POST /sum', 'Content-Type: application/json', `Content-Length: ${body.length}`)}${body}`

/** One request and its answer. */
async function ask(client: WireClient, bytes: string) {
  client.send(bytes)
  return client.response()
}

async function closeInOrder(client: WireClient): Promise<void> {
  client.send(closeFrame(1000))
  const { code, before } = await client.closing()
  expect([code, before]).toEqual([1000, []])
}

describe.each(handoffWays)('with $way', ({ way, options }) => {
  const suites = ['express', 'hono'] as const
  describe.each(suites)('%s', name => {
    describe('as the http handler', options, () => {
      framework(name, way)
    })
  })
})

function framework(name: 'express' | 'hono', way: HandoffWay): void {
  let server: ServerProcess

  beforeAll(async () => {
    server = await ServerProcess.start({ app: `${name}-app.mjs` }, way)
  })
  afterAll(async () => server.finish())

  test('answers, on one connection, then that becomes a WebSocket', async () => {
    const client = await connect(server)
    for (const who of ['Ada', 'Bob']) {
      const { status, body } = await ask(client, request(`GET /hello/${who}`))
      expect(status).toBe(200)
      expect(JSON.parse(body)).toEqual({ hello: who, from: '127.0.0.1' })
    }
    expect((await ask(client, post('[1,2,3]'))).body).toBe('6')
    expect((await ask(client, request('GET /nothing'))).status).toBe(404)
    expect((await ask(client, request('GET /fails'))).status).toBe(500)

    client.send(openingRequest('/chat?x=1'))
    await client.handshake()
    expect(await client.ask('hello')).toBe('hello')
    const facts = JSON.parse(await client.ask('!facts')) as Record<string, unknown>
    expect(facts).toMatchObject({ url: '/chat?x=1', remoteAddress: '127.0.0.1' })
    expect(facts.remotePort).toBe(client.socket.localPort)
    await closeInOrder(client)
  })

  test('an upgrade in any split, with frames behind it', async () => {
    const bytes = Buffer.concat([
      Buffer.from(openingRequest()),
      frame(TEXT, 'one'),
      frame(TEXT, 'x'.repeat(300_000)),
      frame(TEXT, 'two'),
    ])
    for (const cut of [1, 20, openingRequest().length - 1, openingRequest().length + 2, bytes.length]) {
      const client = await connect(server)
      await ask(client, request('GET /hello/x'))
      client.send(bytes.subarray(0, cut))
      client.send(bytes.subarray(cut))
      await client.handshake()
      expect(await client.text()).toBe('one')
      expect((await client.text()).length).toBe(300_000)
      expect(await client.text()).toBe('two')
      await closeInOrder(client)
    }
  })

  test('what is no right upgrade is refused by the rules of the handshake', async () => {
    const client = await connect(server)
    await ask(client, request('GET /hello/x'))
    const { status } = await ask(client, openingRequest('/', ['Sec-WebSocket-Version: 12']))
    expect(status).toBe(426)
    expect(await client.ended()).toBe('fin')
  })

  test('another protocol is none of the server’s: the request is answered as it is, and WebSocket may follow', async () => {
    const other = request('GET /hello/x', 'Upgrade: h2c', 'Connection: Upgrade')
    const sum = '[4,5]'
    const withBody = `${request('POST /sum', 'Upgrade: x', 'Connection: Upgrade', 'Content-Type: application/json', `Content-Length: ${sum.length}`)}${sum}`
    for (const before of [[other], [request('GET /hello/x'), other], [other, other, withBody], [withBody]]) {
      const client = await connect(server)
      for (const asked of before) {
        const { status, body } = await ask(client, asked)
        expect(status).toBe(200)
        if (asked === withBody) expect(body).toBe('9')
        else if (asked === other) expect(JSON.parse(body).upgrade).toBe('h2c')
      }
      client.send(openingRequest())
      await client.handshake()
      expect(await client.ask('hello')).toBe('hello')
      await closeInOrder(client)
    }
  })

  test('requests with FIN behind them are answered', async () => {
    const client = await connect(server)
    const count = 501
    client.send(
      Buffer.from(
        request('GET /hello/x').repeat(count - 1) + request('GET /hello/last', 'Connection: close'),
      ),
    )
    client.end()
    for (let i = 1; i < count; i++) expect(JSON.parse((await client.response()).body).hello).toBe('x')
    expect(JSON.parse((await client.response()).body).hello).toBe('last')
    expect(await client.ended()).toBe('fin')
  })

  test.each(['first', 'later'])('CONNECT is 405, as the %s request', async when => {
    const client = await connect(server)
    if (when === 'later') await ask(client, request('GET /hello/x'))
    const { status, headers } = await ask(client, request('CONNECT example.com:443'))
    expect([status, headers.allow]).toEqual([405, 'GET'])
    expect(await client.ended()).toBe('fin')
  })
}

describe('clients that keep connections', () => {
  test('ws, with an agent of node:http', async () => {
    const server = await ServerProcess.start({ app: 'express-app.mjs' })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ports = new Set<number | undefined>()
    await soon(
      'the answer',
      new Promise<void>((resolve, reject) => {
        get({ port: server.port, host: '127.0.0.1', path: '/hello/x', agent }, response => {
          ports.add(response.socket.localPort)
          response.resume().once('end', () => resolve())
        }).once('error', reject)
      }),
    )
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}`, { agent, perMessageDeflate: false })
    const answer = await soon(
      'the echo',
      new Promise<string>((resolve, reject) => {
        socket.once('upgrade', response => ports.add(response.socket.localPort))
        socket.once('open', () => socket.send('hello'))
        socket.once('message', (data: Buffer) => resolve(data.toString()))
        socket.once('error', reject)
      }),
    )
    expect(answer).toBe('hello')
    expect(ports.size).toBe(1)
    socket.close()
    await server.finish()
    agent.destroy()
  })

  test('get Close 1001 when the server stops, like others', async () => {
    const server = await ServerProcess.start({ app: 'express-app.mjs' })
    const client = await connect(server)
    await ask(client, request('GET /hello/x'))
    client.send(openingRequest())
    await client.handshake()
    const closed = server.close()
    const last = await client.frame()
    expect([last.opcode, last.payload.readUInt16BE(0)]).toEqual([CLOSE, 1001])
    client.send(closeFrame(1001))
    client.end()
    await closed
  })
})
