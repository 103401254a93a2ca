import { describe, expect, it, vi } from 'vitest'
import { HandshakeError } from '../../../src/errors.js'
import { handshakeError } from '../../../src/handshake/refusals.js'
import { Request } from '../../../src/handshake/request.js'
import { examine } from '../../../src/handshake/upgrade.js'
import { accepted, decide, type HeadChanges, head, KEY, OPEN, refusal } from './opening.js'

describe('examine', () => {
  it('accepts the request of RFC 6455 1.3', () => {
    expect(accepted(head())).toEqual({
      accept: 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      protocols: [],
      protocol: undefined,
      extensions: [],
    })
  })

  const accepts: readonly (readonly [what: string, changes: HeadChanges])[] = [
    ['Upgrade in any case', { with: { Upgrade: 'WebSocket' } }],
    ['Upgrade with tabs around it', { with: { Upgrade: '\t websocket \t' } }],
    ['Upgrade without a space after the colon', { with: { Upgrade: undefined }, add: ['Upgrade:websocket'] }],
    ['Upgrade with another protocol behind', { with: { Upgrade: 'websocket, h2c' } }],
    ['Upgrade with another protocol before', { with: { Upgrade: 'h2c,HTTP/3.0\t,\tWEBSOCKET' } }],
    ['Upgrade with empty elements', { with: { Upgrade: ', ,websocket,,' } }],
    ['Upgrade in several lines', { with: { Upgrade: 'h2c' }, add: ['upgrade: websocket'] }],
    ['Upgrade in several lines, one of them empty', { add: ['UPGRADE:'] }],
    ['Connection in any case', { with: { Connection: 'uPGRADE' } }],
    ['Connection with keep-alive before', { with: { Connection: 'keep-alive, Upgrade' } }],
    ['Connection with keep-alive behind, tabs between', { with: { Connection: 'Upgrade\t,\tkeep-alive' } }],
    ['Connection with empty elements', { with: { Connection: ',Upgrade,,' } }],
    ['Connection in several lines', { with: { Connection: 'keep-alive' }, add: ['Connection: upgrade'] }],
    ['header names in any case', { with: { Host: undefined }, add: ['hOsT: a'] }],
    ['Content-Length 0', { add: ['Content-Length: 0'] }],
    ['Content-Length 00', { add: ['Content-Length: 00'] }],
    ['Content-Length with white space around it', { add: ['Content-Length:\t 0  '] }],
    ['a key with bits that stand for nothing', { with: { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAB==' } }],
    ['a key with every kind of character', { with: { 'Sec-WebSocket-Key': '+/09azAZ+/09azAZ+/09az==' } }],
    ['a key with white space around it', { with: { 'Sec-WebSocket-Key': `\t ${KEY}\t ` } }],
    ['a query alone', { line: 'GET /?a=/b?c HTTP/1.1' }],
    ['characters in the query that browsers leave as they are', { line: 'GET /?a={b}|^`"<> HTTP/1.1' }],
    ['two slashes', { line: 'GET //chat HTTP/1.1' }],
    ['an absolute http target', { line: 'GET http://example.com/chat HTTP/1.1' }],
    ['an absolute https target with port and query', { line: 'GET HTTPS://example.com:8443?a HTTP/1.1' }],
    ['an absolute target with an IPv6 address', { line: 'GET http://[::1]:9000/ HTTP/1.1' }],
    ['an origin that nobody asked about', { add: ['Origin: null'] }],
    [
      'unknown headers, however odd',
      { add: ['__proto__: x', 'constructor:', `${'x'.repeat(4000)}: \x80\xff`] },
    ],
    [
      'the same unknown header twice',
      { add: ['X-A: 1', 'X-A: 2', 'Cookie: a=1', 'Cookie: b=2', 'Accept: a', 'Accept: b'] },
    ],
    ['an unusable extension', { add: ['Sec-WebSocket-Extensions: x-unknown; mode="fast"'] }],
    ['Expect', { add: ['Expect: 100-continue'] }],
  ]
  it.each(accepts)('accepts %s', (_, changes) => {
    expect(refusal(head(changes))).toBe('accepted')
  })

  const notUpgrades: readonly (readonly [what: string, changes: HeadChanges])[] = [
    ['a request without Upgrade', { with: { Upgrade: undefined } }],
    ['an empty Upgrade', { with: { Upgrade: '' } }],
    ['another protocol', { with: { Upgrade: 'h2c' } }],
    ['websocket with a version', { with: { Upgrade: 'websocket/13' } }],
    ['a longer name', { with: { Upgrade: 'websockets' } }],
    ['another name of the same length', { with: { Upgrade: 'websockat' } }],
    ['websocket in quotes', { with: { Upgrade: '"websocket"' } }],
    ['websocket among words', { with: { Upgrade: 'a websocket' } }],
    [
      'a POST with a body',
      { line: 'POST / HTTP/1.1', with: { Upgrade: undefined }, add: ['Content-Length: 5'] },
    ],
    ['HTTP/1.0', { line: 'GET / HTTP/1.0', with: { Upgrade: undefined, Host: undefined } }],
    ['OPTIONS *', { line: 'OPTIONS * HTTP/1.1', with: { Upgrade: undefined } }],
  ]
  it.each(notUpgrades)('leaves %s to HTTP', (_, changes) => {
    expect(refusal(head(changes))).toBe('not an upgrade')
  })

  const BAD = {
    duplicate: '400 ERR_HANDSHAKE_DUPLICATE',
    method: '405 ERR_HANDSHAKE_METHOD',
    http: '400 ERR_HANDSHAKE_HTTP_VERSION',
    target: '400 ERR_HANDSHAKE_TARGET',
    host: '400 ERR_HANDSHAKE_HOST',
    upgrade: '400 ERR_HANDSHAKE_UPGRADE',
    connection: '400 ERR_HANDSHAKE_CONNECTION',
    version: '426 ERR_HANDSHAKE_VERSION',
    key: '400 ERR_HANDSHAKE_KEY',
    body: '400 ERR_HANDSHAKE_BODY',
    extensions: '400 ERR_HANDSHAKE_EXTENSIONS',
    protocols: '400 ERR_HANDSHAKE_PROTOCOLS',
  }
  const refuses: readonly (readonly [what: string, changes: HeadChanges, expected: string])[] = [
    ...['POST', 'HEAD', 'PUT', 'get', 'GETT', 'CONNECT', 'M-SEARCH'].map(
      method => [`method ${method}`, { line: `${method} /chat HTTP/1.1` }, BAD.method] as const,
    ),
    ...['1.0', '0.9', '1.2', '2.0', '9.9'].map(
      version => [`HTTP/${version}`, { line: `GET /chat HTTP/${version}` }, BAD.http] as const,
    ),
    ...[
      '*',
      'chat',
      'example.com:80',
      '/chat#part',
      '/#',
      'http://example.com/#',
      'ws://example.com/chat',
      'wss://example.com/',
      'ftp://example.com/',
      'http:/example.com/',
      'http:///chat',
      'http://a@example.com/',
      'http://example.com:65536/',
      'http://[::1/',
      '?a',
    ].map(target => [`target ${target}`, { line: `GET ${target} HTTP/1.1` }, BAD.target] as const),
    ['no Host', { with: { Host: undefined } }, BAD.host],
    ...[
      '',
      ':80',
      'a b',
      'a@b',
      'a/b',
      'a,b c',
      'a:b',
      'a:80:80',
      'a:-1',
      'a:+1',
      'a:65536',
      '[::1',
      '::1',
      '[::1]x',
      'http://a',
    ].map(host => [`Host "${host}"`, { with: { Host: host } }, BAD.host] as const),
    ['Host twice', { add: ['Host: example.com'] }, BAD.duplicate],
    ['Host twice, once empty', { add: ['HOST:'] }, BAD.duplicate],
    ['Upgrade with something that is no protocol', { with: { Upgrade: 'websocket, a b' } }, BAD.upgrade],
    ['Upgrade with a quoted string', { with: { Upgrade: 'websocket, "x"' } }, BAD.upgrade],
    ['Upgrade with an empty version', { with: { Upgrade: 'h2/,websocket' } }, BAD.upgrade],
    ['no Connection', { with: { Connection: undefined } }, BAD.connection],
    ['an empty Connection', { with: { Connection: '' } }, BAD.connection],
    ['Connection without upgrade', { with: { Connection: 'keep-alive' } }, BAD.connection],
    ['Connection with a longer word', { with: { Connection: 'upgraded' } }, BAD.connection],
    ['Connection without commas', { with: { Connection: 'keep-alive Upgrade' } }, BAD.connection],
    ['Connection with upgrade in quotes', { with: { Connection: '"upgrade"' } }, BAD.connection],
    ['Connection with something that is no token', { with: { Connection: 'Upgrade, a/b' } }, BAD.connection],
    ['no version', { with: { 'Sec-WebSocket-Version': undefined } }, BAD.version],
    ...['', '8', '12', '14', '013', '13.0', '+13', '1 3', '13, 8', '8, 13', '"13"', '0xd', ',13'].map(
      version =>
        [`version "${version}"`, { with: { 'Sec-WebSocket-Version': version } }, BAD.version] as const,
    ),
    ['the version twice', { add: ['Sec-WebSocket-Version: 13'] }, BAD.duplicate],
    ['no key', { with: { 'Sec-WebSocket-Key': undefined } }, BAD.key],
    ...[
      '',
      'dGhlIHNhbXBsZSBub25jZQ',
      'dGhlIHNhbXBsZSBub25jZQ=',
      'dGhlIHNhbXBsZSBub25jZQ===',
      'dGhlIHNhbXBsZSBub25jZQ= =',
      'dGhlIHNhbXBsZSBub25jZQo=',
      'dGhlIHNhbXBsZSBub25jZQoo',
      'dGhlIHNhbXBsZSBub25jZ===',
      'dGhlIHNhbXBsZSBub25jZ-==',
      'dGhlIHNhbXBsZSBub25j_Q==',
      'dGhlIHNh XBsZSBub25jZQ==',
      'dGhlIHNh=XBsZSBub25jZQ==',
      'dGhlIHNh\xefXBsZSBub25jZQ==',
      `${KEY}, ${KEY}`,
    ].map(key => [`key "${key}"`, { with: { 'Sec-WebSocket-Key': key } }, BAD.key] as const),
    ['the key twice', { add: [`Sec-WebSocket-Key: ${KEY}`] }, BAD.duplicate],
    ...['1', '42', '', '-0', '+0', '0, 0', '0x0', '0 0', '99999999999999999999', '0\t'].map(
      length => [`Content-Length "${length}"`, { add: [`Content-Length: ${length}`] }, BAD.body] as const,
    ),
    ['Content-Length twice', { add: ['Content-Length: 0', 'content-length: 0'] }, BAD.duplicate],
    ...['chunked', 'identity', '', 'gzip, chunked'].map(
      coding =>
        [`Transfer-Encoding "${coding}"`, { add: [`Transfer-Encoding: ${coding}`] }, BAD.body] as const,
    ),
    ...[
      '',
      ',',
      'a b',
      'a;',
      'a; =1',
      'a; b=',
      'a; b=""',
      'a; b="c d"',
      'a; b="c',
      ';a',
      'a/b',
      'a; b=c d',
    ].map(
      offer =>
        [`extensions "${offer}"`, { add: [`Sec-WebSocket-Extensions: ${offer}`] }, BAD.extensions] as const,
    ),
    ...['', ',', 'a b', 'a/b', 'a, a', '"a"', 'a;b', 'a, b, c, a'].map(
      offer =>
        [`subprotocols "${offer}"`, { add: [`Sec-WebSocket-Protocol: ${offer}`] }, BAD.protocols] as const,
    ),
    [
      'a subprotocol twice, in two lines',
      { add: ['Sec-WebSocket-Protocol: a', 'sec-websocket-protocol: b, a'] },
      BAD.protocols,
    ],
    ...[
      'Origin',
      'Authorization',
      'Proxy-Authorization',
      'Content-Type',
      'User-Agent',
      'Referer',
      'From',
      'Max-Forwards',
      'Date',
      'If-Modified-Since',
      'If-Unmodified-Since',
    ].map(
      name => [`${name} twice`, { add: [`${name}: a`, `${name.toLowerCase()}: a`] }, BAD.duplicate] as const,
    ),
    [
      'Host twice in a request that is no upgrade',
      { with: { Upgrade: undefined }, add: ['Host: a'] },
      BAD.duplicate,
    ],
  ]
  it.each(refuses)('refuses %s', (_, changes, expected) => {
    expect(refusal(head(changes))).toBe(expected)
  })

  it('judges in the order of the table', () => {
    // Each step repairs the fault that was named and leaves those that follow.
    const policy = { path: '/ws', origins: ['http://a'], protocols: [] }
    const changes = { line: 'POST * HTTP/1.0', with: {} as Record<string, string | undefined> }
    changes.with = {
      Upgrade: 'websocket, "',
      Host: 'a b',
      Connection: 'close',
      'Sec-WebSocket-Version': '8',
      'Sec-WebSocket-Key': 'x',
      'Content-Length': '5',
      'Sec-WebSocket-Extensions': ';',
      'Sec-WebSocket-Protocol': ';',
    }
    const repairs: readonly (readonly [expected: string, repair: () => void])[] = [
      [BAD.upgrade, () => (changes.with.Upgrade = 'websocket')],
      [BAD.method, () => (changes.line = 'GET * HTTP/1.0')],
      [BAD.http, () => (changes.line = 'GET * HTTP/1.1')],
      [BAD.target, () => (changes.line = 'GET / HTTP/1.1')],
      [BAD.host, () => (changes.with.Host = 'a')],
      [BAD.connection, () => (changes.with.Connection = 'upgrade')],
      [BAD.version, () => (changes.with['Sec-WebSocket-Version'] = '13')],
      [BAD.key, () => (changes.with['Sec-WebSocket-Key'] = KEY)],
      [BAD.body, () => (changes.with['Content-Length'] = '0')],
      [BAD.extensions, () => (changes.with['Sec-WebSocket-Extensions'] = 'a')],
      [BAD.protocols, () => (changes.with['Sec-WebSocket-Protocol'] = 'a')],
      ['404 ERR_HANDSHAKE_PATH', () => (changes.line = 'GET /ws HTTP/1.1')],
      ['403 ERR_HANDSHAKE_ORIGIN', () => (changes.with.Origin = 'http://a')],
    ]
    for (const [expected, repair] of repairs) {
      expect(refusal(head(changes), policy)).toBe(expected)
      repair()
    }
    expect(refusal(head(changes), policy)).toBe('accepted')
  })

  it('says with 405 what is allowed and with 426 which version', () => {
    expect(handshakeError('ERR_HANDSHAKE_METHOD').headers).toEqual({ Allow: 'GET' })
    expect(handshakeError('ERR_HANDSHAKE_VERSION').headers).toEqual({ 'Sec-WebSocket-Version': '13' })
  })

  describe('path', () => {
    const policy = { ...OPEN, path: '/chat' }
    it.each(['/chat', '/chat?a=1', '/chat?', 'http://example.com/chat', 'http://example.com/chat?b'])(
      'serves %s',
      target => {
        expect(refusal(head({ line: `GET ${target} HTTP/1.1` }), policy)).toBe('accepted')
      },
    )
    it.each([
      '/',
      '/chat/',
      '/Chat',
      '/cha',
      '/chat2',
      '//chat',
      '/%63hat',
      '/?/chat',
      'http://example.com',
      'http://example.com?/chat',
      'http://chat/',
    ])('does not serve %s', target => {
      expect(refusal(head({ line: `GET ${target} HTTP/1.1` }), policy)).toBe('404 ERR_HANDSHAKE_PATH')
    })
    it('takes an absolute target without a path for /', () => {
      expect(refusal(head({ line: 'GET http://a?b HTTP/1.1' }), { ...OPEN, path: '/' })).toBe('accepted')
    })
  })

  describe('origins', () => {
    const policy = { ...OPEN, origins: ['https://example.com', 'null'] }
    it.each(['https://example.com', 'null', '\thttps://example.com '])('lets "%s" in', origin => {
      expect(refusal(head({ add: [`Origin: ${origin}`] }), policy)).toBe('accepted')
    })
    it.each([
      '',
      'http://example.com',
      'https://example.com:443',
      'https://example.com/',
      'https://EXAMPLE.com',
      'https://example.com.evil.test',
      'https://example.com https://evil.test',
    ])('keeps "%s" out', origin => {
      expect(refusal(head({ add: [`Origin: ${origin}`] }), policy)).toBe('403 ERR_HANDSHAKE_ORIGIN')
    })
    it('keeps a request without an origin out', () => {
      expect(refusal(head(), policy)).toBe('403 ERR_HANDSHAKE_ORIGIN')
    })
    it('keeps everybody out with an empty list', () => {
      expect(refusal(head({ add: ['Origin: null'] }), { ...OPEN, origins: [] })).toBe(
        '403 ERR_HANDSHAKE_ORIGIN',
      )
    })
  })

  describe('subprotocols', () => {
    const policy = { ...OPEN, protocols: ['json', 'msgpack'] }
    it.each<[offer: string[], protocols: string[], protocol: string | undefined]>([
      [['msgpack, json'], ['msgpack', 'json'], 'msgpack'],
      [['xml,json\t,msgpack'], ['xml', 'json', 'msgpack'], 'json'],
      [['xml', 'json'], ['xml', 'json'], 'json'],
      [[',json,'], ['json'], 'json'],
      [['JSON'], ['JSON'], undefined],
      [['xml'], ['xml'], undefined],
    ])('of %j chooses by the order of the client', (offer, protocols, protocol) => {
      const upgrade = accepted(head({ add: offer.map(line => `Sec-WebSocket-Protocol: ${line}`) }), policy)
      expect(upgrade.protocols).toEqual(protocols)
      expect(upgrade.protocol).toBe(protocol)
    })
    it('chooses none when none is offered', () => {
      expect(accepted(head(), policy)).toMatchObject({ protocols: [], protocol: undefined })
    })
    it('chooses none when the server speaks none', () => {
      expect(accepted(head({ add: ['Sec-WebSocket-Protocol: json'] }))).toMatchObject({
        protocols: ['json'],
        protocol: undefined,
      })
    })
  })

  it('joins the extensions of several lines', () => {
    const upgrade = accepted(
      head({
        add: [
          'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
          'Sec-WebSocket-Extensions: x-a;b="1"',
        ],
      }),
    )
    expect(upgrade.extensions).toEqual([
      { name: 'permessage-deflate', parameters: [{ name: 'client_max_window_bits', value: undefined }] },
      { name: 'x-a', parameters: [{ name: 'b', value: '1' }] },
    ])
  })

  it('gives the same frozen error for the same fault, without a stack for each', () => {
    const first = decide(head({ line: 'POST / HTTP/1.1' }))
    expect(first).toBeInstanceOf(HandshakeError)
    expect(decide(head({ line: 'PUT / HTTP/1.1' }))).toBe(first)
    expect(Object.isFrozen(first)).toBe(true)
  })

  const hostile: readonly (readonly [what: string, fill: (n: number) => string])[] = [
    ['commas in Upgrade', n => `Upgrade: ${','.repeat(n)}`],
    ['commas in Connection', n => `Connection: ${', '.repeat(n / 2)}`],
    ['commas in Sec-WebSocket-Protocol', n => `Sec-WebSocket-Protocol: ${' ,'.repeat(n / 2)}a`],
    ['many subprotocols', n => `Sec-WebSocket-Protocol: ${numbers(n)}`],
    ['many extensions', n => `Sec-WebSocket-Extensions: ${numbers(n)}`],
    ['many parameters', n => `Sec-WebSocket-Extensions: a${';b'.repeat(n / 2)}`],
    ['many quoted parameters', n => `Sec-WebSocket-Extensions: a${';b="c"'.repeat(n / 6)}`],
    ['backslashes', n => `Sec-WebSocket-Extensions: a;b="${'\\a'.repeat(n / 2)}"`],
    ['a quote that does not end', n => `Sec-WebSocket-Extensions: a;b="${'c'.repeat(n)}`],
    ['quotes', n => `Sec-WebSocket-Extensions: a;b=${'"'.repeat(n)}`],
    ['white space', n => `Sec-WebSocket-Extensions: a${' \t'.repeat(n / 2)}x`],
    ['white space in Connection', n => `Connection: a${' \t'.repeat(n / 2)}x`],
    ['short lines', n => 'a:\r\n'.repeat(n / 4).slice(0, -2)],
    ['Upgrade lines', n => 'Upgrade:\r\n'.repeat(n / 10).slice(0, -2)],
    ['a long host', n => `Host: ${'a'.repeat(n)}/`],
    ['a host of percent signs', n => `Host: ${'%41'.repeat(n / 3)}%`],
    ['a host of colons', n => `Host: [${':'.repeat(n)}]`],
    ['a host of groups', n => `Host: [${'1:'.repeat(n / 2)}]`],
    ['a long length', n => `Content-Length: ${'0'.repeat(n)}x`],
  ]
  it.each(hostile)('does work in proportion to the length of %s', (_, fill) => {
    const work = (n: number) => {
      const line = fill(n)
      const request = new Request(
        head({ with: line.startsWith('Host') ? { Host: undefined } : {}, add: [line] }),
      )
      const looks = vi.spyOn(String.prototype, 'charCodeAt')
      const slices = vi.spyOn(String.prototype, 'slice')
      examine(request, { ...OPEN, protocols: ['a', 'b'] })
      const count = looks.mock.calls.length + slices.mock.calls.length
      looks.mockRestore()
      slices.mockRestore()
      return count
    }
    const base = work(12)
    expect(base, 'what is counted').toBeGreaterThan(50)
    const short = work(3000) - base
    const long = work(12_000) - base
    expect(long).toBeLessThanOrEqual(4.4 * short + 100)
  })
})

/** Different numbers, about `n` characters of them. */
function numbers(n: number): string {
  return Array.from({ length: Math.ceil(n / 5) }, (_, i) => 1000 + i).join(',')
}
