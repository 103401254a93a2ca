// Opening handshakes and plain HTTP, as bytes: every refusal is a response that can be read to its end.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { closeFrame, frame, TEXT, text } from '../support/frames.js'
import { ServerProcess } from '../support/server-process.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

const LONG_MS = 600_000

let server: ServerProcess
let withPath: ServerProcess
let withHttp: ServerProcess
const clients: WireClient[] = []

beforeAll(async () => {
  const patient = { closeTimeoutMs: LONG_MS, handshakeTimeoutMs: LONG_MS }
  server = await ServerProcess.start({ ...patient, protocols: ['one', 'two'] })
  withPath = await ServerProcess.start({
    handshakeTimeoutMs: 100,
    path: '/chat',
    origins: ['http://good.example'],
  })
  withHttp = await ServerProcess.start({ ...patient, app: 'http-app.mjs' })
})

afterEach(() => {
  for (const client of clients.splice(0)) client.end()
})

afterAll(async () => {
  for (const each of [server, withPath, withHttp]) await each.finish()
})

async function connect(to: ServerProcess = server): Promise<WireClient> {
  const client = await WireClient.connect(to.port)
  clients.push(client)
  return client
}

/** Sends `bytes`, expects one response and FIN. */
async function refusalOf(bytes: string | Buffer, to: ServerProcess = server) {
  const client = await connect(to)
  client.send(bytes)
  const response = await client.response()
  expect(await client.rest(), 'one response, then FIN').toEqual({ frames: [], ending: 'fin' })
  return response
}

describe('refusals', () => {
  const cases: [name: string, status: number, request: string, headers: Record<string, string>][] = [
    [
      'another version',
      426,
      openingRequest('/', ['Sec-WebSocket-Version: 8']),
      { 'sec-websocket-version': '13' },
    ],
    [
      'version 013',
      426,
      openingRequest('/', ['Sec-WebSocket-Version: 013']),
      { 'sec-websocket-version': '13' },
    ],
    ['a short key', 400, openingRequest('/', ['Sec-WebSocket-Key: AAAA']), {}],
    ['another method', 405, openingRequest('/', [], 'PUT'), { allow: 'GET' }],
    ['HTTP/1.0', 400, openingRequest().replace('HTTP/1.1', 'HTTP/1.0'), {}],
    ['no version of HTTP', 400, openingRequest().replace(' HTTP/1.1', ''), {}],
    ['no Host', 400, openingRequest().replace(/Host:.*\r\n/, ''), {}],
    ['two Hosts', 400, openingRequest().replace('Host:', 'Host: a\r\nHost:'), {}],
    ['a bare LF', 400, openingRequest().replace('\r\n', '\n'), {}],
    ['a folded line', 400, openingRequest('/', ['X-Folded: a\r\n b']), {}],
    ['NUL', 400, openingRequest('/', ['X-Nul: a\0b']), {}],
    ['malformed extensions', 400, openingRequest('/', ['Sec-WebSocket-Extensions: a;;b']), {}],
    ['no HTTP at all', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 garbage\r\n\r\n', {}],
    [
      '101 lines',
      431,
      openingRequest(
        '/',
        Array.from({ length: 97 }, (_, i) => `X-${i}: x`),
      ),
      {},
    ],
    ['a head of 16385 bytes', 431, openingRequest('/', [`X-Long: ${'x'.repeat(20_000)}`]), {}],
    ['the hook throws', 500, openingRequest('/?throw'), {}],
  ]

  test.each(cases)('%s: %i', async (_, status, request, headers) => {
    const response = await refusalOf(request)
    expect(response).toMatchObject({ status, headers })
    expect(response.headers.connection?.toLowerCase()).toContain('close')
    expect(response.body).not.toBe('')
  })

  test('the hook refuses with what it says', async () => {
    const response = await refusalOf(openingRequest('/?status=401'))
    expect(response).toMatchObject({ status: 401, headers: { 'x-refused': 'yes' }, body: 'not you' })
  })

  test('another path is 404, another origin 403', async () => {
    expect((await refusalOf(openingRequest('/'), withPath)).status).toBe(404)
    const origin = (value: string) => openingRequest('/chat?x=1', [`Origin: ${value}`])
    expect((await refusalOf(origin('http://bad.example'), withPath)).status).toBe(403)
    const client = await connect(withPath)
    client.send(origin('http://good.example'))
    await client.handshake()
  })

  test.each([
    ['with a body', 400, openingRequest('/', ['Content-Length: 8388608'])],
    ['that is chunked', 400, openingRequest('/', ['Transfer-Encoding: chunked'])],
    ['with frames behind it', 403, openingRequest('/?status=403')],
    ['of garbage', 400, '\0'],
  ])('a request %s, then 8 MiB: the %i arrives whole', async (_, status, request) => {
    const client = await connect()
    client.send(Buffer.concat([Buffer.from(request), Buffer.alloc(8 * 2 ** 20, 'x')]))
    expect((await client.response()).status).toBe(status)
    expect(await client.ended()).toBe('fin')
    await new Promise<void>(resolve => client.socket.end(() => resolve()))
    expect(client.ending).toBe('fin')
  })

  test('who is slow gets 408, before the head and in it', async () => {
    const silent = await connect(withPath)
    const slow = await connect(withPath)
    slow.send(openingRequest('/chat').slice(0, 30))
    for (const client of [silent, slow]) {
      const response = await client.response()
      expect(response.status).toBe(408)
      expect(response.headers.connection?.toLowerCase()).toContain('close')
      expect(await client.ended()).toBe('fin')
    }
  })

  test('a hook that is slow is a 408 too', async () => {
    const client = await connect(withPath)
    client.send(openingRequest('/chat?wait=60000', ['Origin: http://good.example']))
    expect((await client.response()).status).toBe(408)
  })
})

describe('acceptances', () => {
  test('byte by byte', async () => {
    const client = await connect()
    for (const byte of openingRequest('/?name=slow')) {
      await new Promise(resolve => client.socket.write(byte, resolve))
    }
    expect((await client.handshake()).headers).toMatchObject({ upgrade: 'websocket', 'x-accepted': 'yes' })
    expect(await client.ask('hello')).toBe('hello')
  })

  test('frames in the segment of the head are answered', async () => {
    const client = await connect()
    client.send(Buffer.concat([Buffer.from(openingRequest()), text('early'), text('!close 1000')]))
    await client.handshake()
    expect(await client.text()).toBe('early')
    client.send(closeFrame(1000))
    expect((await client.closing()).code).toBe(1000)
  })

  test('frames that come while the hook is pending are answered in order, also beyond what is kept', async () => {
    const client = await connect()
    const payload = 'x'.repeat(100_000)
    client.send(Buffer.concat([Buffer.from(openingRequest('/?wait=50')), text('early')]))
    for (let i = 0; i < 20; i++) client.sendText(`${i} ${payload}`)
    await client.handshake()
    expect(await client.text()).toBe('early')
    for (let i = 0; i < 20; i++) expect(await client.text()).toBe(`${i} ${payload}`)
  })

  test('a client that ends while the hook is pending gets its answers', async () => {
    const client = await connect()
    client.send(Buffer.concat([Buffer.from(openingRequest('/?wait=50')), text('early')]))
    client.end()
    await client.handshake()
    expect(await client.rest()).toMatchObject({ frames: [{ opcode: TEXT }], ending: 'fin' })
  })

  test('the subprotocol is the first offered one that the server has', async () => {
    const client = await connect()
    client.send(openingRequest('/', ['Sec-WebSocket-Protocol: three, two ,one']))
    expect((await client.handshake()).headers['sec-websocket-protocol']).toBe('two')
  })

  test('extensions are declined', async () => {
    const client = await connect()
    client.send(
      openingRequest('/', ['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x']),
    )
    expect((await client.handshake()).headers).not.toHaveProperty('sec-websocket-extensions')
    client.send(frame(TEXT, 'x', { rsv: 4 }))
    expect((await client.closing()).code).toBe(1002)
  })

  test('the application knows the request', async () => {
    const client = await connect()
    client.send(
      openingRequest('/a/b?name=me', ['X-Some-Header: \t some value \t', 'Sec-WebSocket-Protocol: one']),
    )
    await client.handshake()
    expect(JSON.parse(await client.ask('!facts'))).toMatchObject({
      url: '/a/b?name=me',
      headers: { 'x-some-header': 'some value' },
      remoteAddress: '127.0.0.1',
      remotePort: client.socket.localPort,
      protocol: 'one',
      data: { name: 'me' },
    })
  })
})

describe('HTTP', () => {
  const get = (target: string, ...lines: string[]): string =>
    `${[`GET ${target} HTTP/1.1`, 'Host: 127.0.0.1', ...lines].join('\r\n')}\r\n\r\n`

  test('two requests on one connection, then one that ends it', async () => {
    const client = await connect()
    client.send(get('/healthz'))
    expect(await client.response()).toMatchObject({ status: 200, body: 'ok\n' })
    client.send(get('/'))
    expect(await client.response()).toMatchObject({ status: 426, headers: { upgrade: 'websocket' } })
    client.send(get('/healthz', 'Connection: close'))
    expect((await client.response()).status).toBe(200)
    expect(await client.ended()).toBe('fin')
  })

  test('requests in one segment, and a request in single bytes', async () => {
    const client = await connect()
    client.send(get('/healthz') + get('/x') + get('/healthz'))
    for (const status of [200, 426, 200]) expect((await client.response()).status).toBe(status)
    const slow = await connect()
    for (const byte of get('/healthz')) await new Promise(resolve => slow.socket.write(byte, resolve))
    expect((await slow.response()).status).toBe(200)
    for (const byte of get('/')) await new Promise(resolve => slow.socket.write(byte, resolve))
    expect((await slow.response()).status).toBe(426)
  })

  test('404 beside the path of the WebSocket', async () => {
    const client = await connect(withPath)
    for (const [target, status] of [
      ['/', 404],
      ['/chat', 426],
      ['/healthz', 200],
    ] as const) {
      client.send(get(target))
      expect((await client.response()).status).toBe(status)
    }
  })

  test("the application's handler: bodies in one segment and in many", async () => {
    const client = await connect(withHttp)
    for (const target of ['/body', '/pauses', '/again']) {
      for (const size of [0, 5, 70_000, 3_000_000]) {
        const body = 'shardws '.repeat(Math.ceil(size / 8)).slice(0, size)
        const head = `POST ${target} HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`
        client.send(head + body)
        const response = await client.response()
        expect(response).toMatchObject({
          status: 200,
          headers: { 'x-request': `POST ${target} from 127.0.0.1` },
        })
        expect(response.body === body, `${target} ${size}`).toBe(true)
      }
    }
  })

  test('a body that comes long after its head', async () => {
    const client = await connect(withHttp)
    client.send('POST /late HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n')
    expect((await client.response()).status).toBe(100)
    for (const byte of 'late') await new Promise(resolve => client.socket.write(byte, resolve))
    expect(await client.response()).toMatchObject({ status: 200, body: 'late' })
  })

  test('a handler that fails is a 500, and the next request is served', async () => {
    const client = await connect(withHttp)
    client.send(get('/throw'))
    expect((await client.response()).status).toBe(500)
    client.send(get('/fine'))
    expect((await client.response()).status).toBe(200)
  })

  test('WebSocket beside it', async () => {
    const client = await connect(withHttp)
    client.send(openingRequest())
    await client.handshake()
    expect(await client.ask('hello')).toBe('hello')
  })

  test('bad HTTP is a 400', async () => {
    const client = await connect()
    client.send(get('/healthz'))
    expect((await client.response()).status).toBe(200)
    client.send('garbage\r\n\r\n')
    expect((await client.response()).status).toBe(400)
    expect(await client.ended()).toBe('fin')
  })
})
