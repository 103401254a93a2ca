import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HandshakeError } from '../../src/errors.js'
import { Request } from '../../src/handshake/request.js'
import { examine } from '../../src/handshake/upgrade.js'
import { bytesOf, KEY, LIMITS, OPEN, readInPieces } from '../unit/handshake/opening.js'

/** Opening requests that are good, nearly good, and bad: the parts are mostly what a client may send. */

/** Mostly the first ones, sometimes one of the others. */
const mostly = (usual: readonly string[], odd: readonly string[]) =>
  fc.oneof(
    { weight: 50, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...odd) },
  )

const anyCase = (name: string) =>
  fc.constantFrom(
    name,
    name.toLowerCase(),
    name.toUpperCase(),
    name.replaceAll(/[a-z]-?/g, c => c.toUpperCase()),
  )

const space = mostly(['', ' ', ' '], ['\t', ' \t ', '   ', '\t\t', '\x0b', '\x80', '\r\n ', '\0'])

const requestLine = fc
  .tuple(
    mostly(['', '', '\r\n'], ['\n', '\r\n\r\n', ' ', '\r']),
    mostly(['GET'], ['get', 'POST', 'HEAD', 'GET ', 'G\tT', '', 'PRI', 'OPTIONS']),
    mostly([' '], ['  ', '\t', '']),
    fc.oneof(
      {
        weight: 12,
        arbitrary: fc.constantFrom(
          '/',
          '/chat?room=1',
          '//',
          '/?',
          '/a/../b;c=d/%zz',
          '/?q={|}^`"<>\\[]\'',
          'http://localhost/',
          'https://a:443/x?y',
          'HTTP://a',
          'http://a?b',
          'http://[::1]:80/',
          "http://a.b-c_d~e!$&'()*+,;=%41:8/",
          'http://a:/',
          `/${'x'.repeat(3000)}`,
        ),
      },
      {
        weight: 2,
        arbitrary: fc.stringMatching(/^\/[ -~]{0,12}$/),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom('*', 'a:80', '/#x', 'ws://a/', '/a b', '/\x7f', '/\xe9', 'http://'),
      },
    ),
    mostly([' '], ['  ', '\t', '']),
    mostly(['HTTP/1.1'], ['HTTP/1.0', 'HTTP/2.0', 'HTTP/1.10', 'http/1.1', '', 'HTTP/1.1 ', 'HTTP/0.9']),
  )
  .map(parts => parts.join(''))

const line = (name: string, usual: readonly string[], odd: readonly string[]) =>
  fc
    .tuple(
      anyCase(name),
      mostly([':', ': '], [' :', ':\t', '', '::']),
      space,
      mostly(usual, odd),
      mostly(['', '', ' '], ['\t', ' \t', '\x0c']),
    )
    .map(parts => parts.join(''))

const needed = [
  line(
    'Host',
    ['localhost', '127.0.0.1:9000', '[::1]:1', 'a.b', 'a:', "a_!$&'()*+,;=~-"],
    ['', 'a b', 'a,b', ':1', 'a:99999'],
  ),
  line(
    'Upgrade',
    ['websocket', 'WebSocket', 'websocket, h2c', 'h2c,\twebsocket', ',websocket', 'websocket,,'],
    ['', 'h2c', 'websocket/13', '"websocket"', 'websocket foo'],
  ),
  line(
    'Connection',
    [
      'Upgrade',
      'upgrade',
      'keep-alive, Upgrade',
      'Upgrade,keep-alive',
      'close, upgrade',
      'Upgrade , close',
      ',,Upgrade',
      'Upgrade,,',
      'a,\tupgrade\t,b',
      'x-upgrade, upgrade, upgradex',
      'HTTP2-Settings, upgrade',
      'keep-alivex,upgrade',
      'close ,\tkeep-alive ,UPGRADE',
    ],
    ['', 'close', 'Upgrade keep-alive', 'up grade', '"upgrade"'],
  ),
  line('Sec-WebSocket-Version', ['13'], ['', '8', '013', '13, 8']),
  line(
    'Sec-WebSocket-Key',
    [KEY, 'AAAAAAAAAAAAAAAAAAAAAB==', '+/+/+/+/+/+/+/+/+/+/+w=='],
    ['', `${KEY}=`, 'a b'],
  ),
]

const other = fc.oneof(
  line('Origin', ['http://a', 'null', ''], ['\x01']),
  line(
    'Content-Length',
    ['0', '00', '000000000000000000000000000000000000'],
    ['', '1', '+0', '0,0', '0 ', '0x0'],
  ),
  line('Transfer-Encoding', ['chunked', ''], ['identity']),
  line('Sec-WebSocket-Protocol', ['a', 'a, b', 'json,\txml,,'], ['a, a', '', 'a b']),
  line('Sec-WebSocket-Extensions', ['permessage-deflate; client_max_window_bits', 'a;b="c",d'], ['a;', '"']),
  line('Connection', ['keep-alive', '', 'close', 'x', ',', ', ,\t'], ['close keep-alive']),
  line('Upgrade', ['h2c', '', 'HTTP/3.0', ','], ['a b']),
  line('Host', ['localhost'], ['']),
  line('Expect', ['100-continue', ''], ['200-ok']),
  line('TE', ['trailers'], ['chunked']),
  line('Trailer', ['a'], ['']),
  line('Keep-Alive', ['timeout=5'], ['']),
  line('Proxy-Connection', ['keep-alive', 'upgrade', 'close', ''], ['close, a b']),
  line('Cookie', ['a=b', 'c=d; e="f"', ''], ['\x00']),
  line('__proto__', ['a', ''], ['b']),
  line("X-!#$%&'*+.^_`|~9", ['a', '\x80\xff', 'a\tb  c', ''], ['a\rb', 'a\nb', 'a\r\n b', '\x7f']),
  line('Upgrade-Insecure-Requests', ['1'], ['']),
  line('x'.repeat(2000), ['y'.repeat(3000), ''], ['z']),
)

const wholeHead = fc
  .tuple(
    requestLine,
    fc.tuple(...needed),
    fc.array(other, { maxLength: 4 }),
    fc.infiniteStream(fc.nat(1000)),
    mostly(['\r\n'], ['\n', '\r', '\r\r\n', '\r\n\r\n']),
    // Which of the needed lines is left out; mostly none.
    fc.oneof({ weight: 9, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat(needed.length - 1) }),
  )
  .map(([first, lines, others, order, newline, missing]) => {
    const all = [...lines.filter((_, i) => i !== missing), ...others]
      .map(text => ({ text, place: order.next().value }))
      .toSorted((a, b) => a.place - b.place)
      .map(({ text }) => text)
    return `${[first, ...all].join('\r\n')}${newline}\r\n`
  })

/** Some heads have a few bytes changed, removed or added anywhere. */
const mutatedHead = fc
  .tuple(
    wholeHead,
    fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      {
        weight: 1,
        arbitrary: fc.array(
          fc.tuple(
            fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
            fc.nat(2),
            fc.oneof(
              fc.constantFrom(...'\r\n\t :,;"=\0/%#'),
              fc.nat(255).map(c => String.fromCharCode(c)),
            ),
          ),
          { minLength: 1, maxLength: 3 },
        ),
      },
    ),
  )
  .map(([text, mutations]) => {
    let mutated = text
    for (const [place, way, character] of mutations) {
      const at = Math.floor(place * mutated.length)
      mutated = mutated.slice(0, at) + (way === 0 ? '' : character) + mutated.slice(way === 1 ? at : at + 1)
    }
    return mutated
  })

/** What came of a head, for comparison. */
function outcome(text: string, cuts: readonly number[]) {
  const { reader, end } = readInPieces(bytesOf(text), cuts)
  if (reader.error !== undefined) return { error: reader.error.code }
  if (end === -1) return { end }
  const request = new Request(reader.head)
  const decision = examine(request, OPEN)
  if (decision instanceof HandshakeError) return { end, error: decision.code }
  return { end, head: reader.head, decision, headers: { ...request.headers } }
}

describe('any split of the bytes', () => {
  it('gives what the whole gives', () => {
    fc.assert(
      fc.property(
        mutatedHead,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
        fc.constantFrom('', '\x81\x80', '\r\n\r\n'),
        (text, places, rest) => {
          const all = text + rest
          const cuts = places.map(place => Math.floor(place * all.length)).toSorted((a, b) => a - b)
          expect(outcome(all, cuts)).toEqual(outcome(all, []))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('gives what the whole gives, byte by byte', () => {
    fc.assert(
      fc.property(mutatedHead, text => {
        expect(
          outcome(
            text,
            Array.from(text, (_, i) => i),
          ),
        ).toEqual(outcome(text, []))
      }),
      { numRuns: 100 },
    )
  })

  it('gives a documented error or none for any bytes at all', () => {
    const byte = fc.oneof(
      fc.constantFrom(...'GET / HTTP/1.1\r\n:'),
      fc.nat(255).map(c => String.fromCharCode(c)),
    )
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), bytes => {
        const { error } = outcome(bytes.join(''), [])
        if (error !== undefined) expect(error).toMatch(/^ERR_HANDSHAKE_[A-Z_]+$/)
      }),
      { numRuns: 3000 },
    )
  })
})

/** What node:http makes of a request. */
type Seen = {
  event: 'upgrade' | 'request' | 'clientError'
  request?: IncomingMessage
  rest?: Buffer
  error?: Error
}

describe('whatever is accepted, node:http accepts', () => {
  const server = createServer()
  let see: (seen: Seen) => void = () => {}
  server.on('upgrade', (request, socket, rest: Buffer) => {
    see({ event: 'upgrade', request, rest })
    socket.destroy()
  })
  for (const event of ['request', 'checkContinue', 'checkExpectation']) {
    server.on(event, (request: IncomingMessage, response: ServerResponse) => {
      see({ event: 'request', request })
      response.destroy()
    })
  }
  server.on('clientError', (error, socket) => {
    see({ event: 'clientError', error })
    socket.destroy()
  })

  beforeAll(
    () =>
      new Promise<void>(resolve => {
        server.listen(0, '127.0.0.1', resolve)
      }),
  )
  afterAll(() => {
    server.close()
  })

  async function ask(text: string): Promise<Seen> {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    try {
      return await new Promise((resolve, reject) => {
        see = resolve
        client.on('error', () => {})
        client.on('close', () => reject(new Error('node:http closed the connection without a word')))
        client.setTimeout(3000, () => reject(new Error('node:http wants more')))
        client.write(Buffer.from(text, 'latin1'))
        client.resume()
      })
    } finally {
      client.destroy()
    }
  }

  /** The headers that node:http has seen, joined as ours are. */
  function joined(request: IncomingMessage): Record<string, string> {
    const headers: Record<string, string> = Object.create(null)
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      const name = request.rawHeaders[i].toLowerCase()
      const value = request.rawHeaders[i + 1]
      const separator = name === 'cookie' ? '; ' : ', '
      headers[name] = headers[name] === undefined ? value : headers[name] + separator + value
    }
    return headers
  }

  async function compare(text: string): Promise<boolean> {
    const { reader, end } = readInPieces(bytesOf(text), [])
    if (reader.error !== undefined || end === -1) return false
    const request = new Request(reader.head)
    const decision = examine(request, OPEN)
    if (decision === undefined || decision instanceof HandshakeError) return false
    const seen = await ask(text)
    expect(seen.error).toBeUndefined()
    // Node's parser overlooks an `upgrade` with a tab behind it, and takes the request for an ordinary one.
    const mayBeOverlooked = /^connection:.*upgrade *\t/im.test(reader.head)
    expect(mayBeOverlooked ? ['upgrade', 'request'] : ['upgrade']).toContain(seen.event)
    expect(seen.request?.method).toBe('GET')
    expect(seen.request?.httpVersion).toBe(request.version)
    expect(seen.request?.url).toBe(request.url)
    expect(joined(seen.request as IncomingMessage)).toEqual(request.headers)
    if (seen.event === 'upgrade') expect(seen.rest?.toString('latin1')).toBe(text.slice(end))
    return true
  }

  it('over random requests', { timeout: 60_000 }, async () => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(mutatedHead, fc.constantFrom('', 'rest'), async (text, rest) => {
        if (await compare(text + rest)) accepted++
      }),
      { numRuns: 2000 },
    )
    // Else the parts have drifted away from good requests and nothing is compared.
    expect(accepted).toBeGreaterThan(300)
  })

  it('at the limits of bytes and lines', async () => {
    const start = `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`
    const lines = `${start}${'a:\r\n'.repeat(95)}\r\n`
    expect(await compare(lines)).toBe(true)
    const fill = LIMITS.maxHeaderBytes - start.length - 'x: \r\n\r\n'.length
    expect(await compare(`${start}x: ${'y'.repeat(fill)}\r\n\r\n`)).toBe(true)
    expect(await compare(`${start}${'y'.repeat(fill)}: x\r\n\r\n`)).toBe(true)
    expect(await compare(`${start}x: ${'y'.repeat(fill + 1)}\r\n\r\n`)).toBe(false)
  })
})
