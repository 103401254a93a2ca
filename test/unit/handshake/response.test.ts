import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { StateError } from '../../../src/errors.js'
import { HANDSHAKE_CODES, handshakeError } from '../../../src/handshake/refusals.js'
import { serializeAcceptance, serializeRefusal } from '../../../src/handshake/response.js'
import { reasonOf } from '../../../src/handshake/status.js'
import type { Upgrade } from '../../../src/handshake/upgrade.js'

const upgrade: Upgrade = {
  accept: 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  protocols: ['json', 'xml'],
  protocol: undefined,
  extensions: [],
}

const BAD_HEADERS: readonly (readonly [headers: Record<string, string>, message: RegExp])[] = [
  [{ '': 'a' }, /not a header name/],
  [{ 'A B': 'a' }, /not a header name/],
  [{ 'A:': 'a' }, /not a header name/],
  [{ 'A\r\nB': 'a' }, /not a header name/],
  [{ Ä: 'a' }, /not a header name/],
  [{ 'X-A': 'a\r\nSet-Cookie: b' }, /X-A must be a string without line breaks/],
  [{ 'X-A': 'a\n' }, /line breaks/],
  [{ 'X-A': 'a\r' }, /line breaks/],
  [{ 'X-A': '\0' }, /control characters/],
  [{ 'X-A': '\x7f' }, /control characters/],
  [{ 'X-A': '→' }, /above U\+00FF/],
  // \u560a ends in the byte of LF.
  [{ 'X-A': '\u560a' }, /above U\+00FF/],
  [{ 'X-A': 5 as unknown as string }, /must be a string/],
  [{ 'X-A': undefined as unknown as string }, /must be a string/],
  [new Headers({ 'X-A': 'a' }) as unknown as Record<string, string>, /Object\.fromEntries/],
  [[['X-A', 'a']] as unknown as Record<string, string>, /Object\.fromEntries/],
  [null as unknown as Record<string, string>, /must be an object/],
  ['X-A: a' as unknown as Record<string, string>, /must be an object/],
  ...[
    'Connection',
    'upgrade',
    'SEC-WEBSOCKET-ACCEPT',
    'Sec-WebSocket-Protocol',
    'sec-websocket-extensions',
    'Content-Length',
    'Transfer-Encoding',
  ].map(name => [{ [name]: 'a' }, /leave it out/] as const),
]

describe('serializeAcceptance', () => {
  it('answers as RFC 6455 1.3 does', () => {
    expect(serializeAcceptance(upgrade)).toBe(
      [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        '',
        '',
      ].join('\r\n'),
    )
  })

  const added = (text: string) => text.split('\r\n').slice(4, -2)

  it('names the chosen subprotocol', () => {
    expect(added(serializeAcceptance({ ...upgrade, protocol: 'xml' }))).toEqual([
      'Sec-WebSocket-Protocol: xml',
    ])
  })

  it("names the application's subprotocol rather than the chosen one", () => {
    const text = serializeAcceptance({ ...upgrade, protocol: 'xml' }, { protocol: 'json' })
    expect(added(text)).toEqual(['Sec-WebSocket-Protocol: json'])
  })

  it.each([['msgpack'], ['JSON'], [''], ['json, xml'], ['json\r\nX: y']])(
    'throws at the subprotocol %j, which was not offered',
    protocol => {
      expect(() => serializeAcceptance(upgrade, { protocol })).toThrow(StateError)
      expect(() => serializeAcceptance(upgrade, { protocol })).toThrow(/choose one of .*\(json, xml\)/)
    },
  )

  it('adds extensions and headers', () => {
    const text = serializeAcceptance(
      upgrade,
      { headers: { 'Set-Cookie': 'a=b; HttpOnly', 'X-Bytes': '\t\xe9', 'x-empty': '' } },
      [
        {
          name: 'x',
          parameters: [
            { name: 'a', value: undefined },
            { name: 'b', value: '1' },
          ],
        },
      ],
    )
    expect(added(text)).toEqual([
      'Sec-WebSocket-Extensions: x; a; b=1',
      'Set-Cookie: a=b; HttpOnly',
      'X-Bytes: \t\xe9',
      'x-empty: ',
    ])
  })

  it('names no extensions when there are none', () => {
    expect(added(serializeAcceptance(upgrade, {}, []))).toEqual([])
    const facts: object = { extensions: [{ name: 'x', parameters: [] }] }
    expect(added(serializeAcceptance(upgrade, facts))).toEqual([])
  })

  it.each(BAD_HEADERS)('throws at the headers %j', (headers, message) => {
    expect(() => serializeAcceptance(upgrade, { headers })).toThrow(StateError)
    expect(() => serializeAcceptance(upgrade, { headers })).toThrow(message)
  })
})

/** What node's client makes of a response. */
async function receive(response: string, method = 'GET'): Promise<IncomingMessage & { body: Buffer }> {
  const server = createServer()
  server.on('connection', socket => {
    socket.removeAllListeners('data')
    socket.once('data', () => socket.end(Buffer.from(response, 'latin1')))
    socket.on('error', () => {})
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  try {
    return await new Promise((resolve, reject) => {
      const sent = request({
        port,
        host: '127.0.0.1',
        method,
        agent: false,
        headers: { Connection: 'Upgrade', Upgrade: 'websocket' },
      })
      sent.on('error', reject)
      sent.on('upgrade', () => reject(new Error('took a refusal for an upgrade')))
      sent.on('response', message => {
        const chunks: Buffer[] = []
        message.on('data', (chunk: Buffer) => chunks.push(chunk))
        message.on('error', reject)
        message.on('end', () => resolve(Object.assign(message, { body: Buffer.concat(chunks) })))
      })
      sent.end()
    })
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

describe('serializeRefusal', () => {
  it('says what is wrong, how much it says, and that it ends', () => {
    expect(
      serializeRefusal(handshakeError('ERR_HANDSHAKE_METHOD'), { date: 'Thu, 01 Jan 1970 00:00:00 GMT' }),
    ).toBe(
      [
        'HTTP/1.1 405 Method Not Allowed',
        'Date: Thu, 01 Jan 1970 00:00:00 GMT',
        'Connection: close',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Length: 57',
        'Allow: GET',
        '',
        'the method of a WebSocket upgrade is GET (RFC 6455 4.2.1)',
      ].join('\r\n'),
    )
  })

  it.each(HANDSHAKE_CODES)('is a response that an HTTP client understands: %s', async code => {
    const error = handshakeError(code)
    const response = await receive(serializeRefusal(error))
    expect(response.statusCode).toBe(error.status)
    expect(response.statusMessage).toBe(reasonOf(error.status))
    expect(response.statusMessage).not.toBe('')
    expect(response.httpVersion).toBe('1.1')
    expect(response.complete).toBe(true)
    expect(response.body.toString()).toBe(error.message)
    expect(response.headers['content-length']).toBe(String(response.body.length))
    expect(response.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(response.headers.connection).toMatch(/\bclose$/)
    for (const [name, value] of Object.entries(error.headers)) {
      expect(response.headers[name.toLowerCase()]).toBe(value)
    }
  })

  it('names in a 426 the protocol and the version to upgrade to', async () => {
    const { headers } = await receive(serializeRefusal(handshakeError('ERR_HANDSHAKE_VERSION')))
    expect(headers).toMatchObject({
      upgrade: 'websocket',
      connection: 'Upgrade, close',
      'sec-websocket-version': '13',
    })
    expect((await receive(serializeRefusal({ status: 426 }))).headers.upgrade).toBe('websocket')
    expect((await receive(serializeRefusal({ status: 400 }))).headers.upgrade).toBeUndefined()
  })

  it('counts the bytes of the body, not its characters', async () => {
    const response = await receive(serializeRefusal({ status: 403, body: 'für dich: ✋ 🛑' }))
    expect(response.body.toString()).toBe('für dich: ✋ 🛑')
    expect(response.headers['content-length']).toBe('19')
    expect(response.complete).toBe(true)
  })

  it('has the reason phrase for a body by default, or the status where there is none', async () => {
    expect((await receive(serializeRefusal({ status: 401 }))).body.toString()).toBe('Unauthorized')
    expect((await receive(serializeRefusal({ status: 499 }))).body.toString()).toBe('499')
    expect((await receive(serializeRefusal({ status: 403, body: '' }))).body.length).toBe(0)
  })

  it('has no body in answer to HEAD, but says how long it would be', async () => {
    const text = serializeRefusal(handshakeError('ERR_HANDSHAKE_METHOD'), { method: 'HEAD' })
    expect(text.endsWith('\r\n\r\n')).toBe(true)
    expect((await receive(text, 'HEAD')).headers['content-length']).toBe('57')
  })

  it("adds the application's headers; its Content-Type and Date replace ours", async () => {
    const text = serializeRefusal(
      {
        status: 302,
        headers: { Location: '/login', 'content-type': 'text/html', DATE: 'today', 'X-Bytes': '\xe9' },
        body: '<p>',
      },
      { date: 'never' },
    )
    const { rawHeaders } = await receive(text)
    expect(rawHeaders).toEqual([
      'Connection',
      'close',
      'Content-Length',
      '3',
      'Location',
      '/login',
      'content-type',
      'text/html',
      'DATE',
      'today',
      'X-Bytes',
      '\xe9',
    ])
  })

  it.each([0, 101, 200, 204, 299, 304, 600, 400.5, Number.NaN, '403' as unknown as number])(
    'throws at the status %s',
    status => {
      expect(() => serializeRefusal({ status })).toThrow(StateError)
      expect(() => serializeRefusal({ status })).toThrow(/use 300 to 599/)
    },
  )

  it.each([300, 399, 400, 426, 599])('takes the status %d', status => {
    expect(serializeRefusal({ status })).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  })

  it.each(BAD_HEADERS)('throws at the headers %j', (headers, message) => {
    expect(() => serializeRefusal({ status: 400, headers })).toThrow(StateError)
    expect(() => serializeRefusal({ status: 400, headers })).toThrow(message)
  })
})
