// Behind proxies: real ones, and what they would send, as bytes.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { counterparts, haproxyPath, nginxPath, nginxStreamModule } from '../counterparts.js'
import { needs } from '../needs.js'
import { closeFrame, frame, TEXT } from '../support/frames.js'
import { handoffWays } from '../support/handoff-ways.js'
import { freePorts, ProxyProcess } from '../support/proxies.js'
import { proxyV2, tlv } from '../support/proxy-header.js'
import { ServerProcess } from '../support/server-process.js'
import { until } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

/** Whom the proxies connect from, and who is served: the same machine, by another of its names. */
const PROXY = '127.0.0.1'
const CLIENT = '127.0.0.2'
const trustProxy = [PROXY, 'unix']

const directory = mkdtempSync(join(tmpdir(), 'shardws-'))
const clients: WireClient[] = []

afterEach(() => {
  for (const client of clients.splice(0)) client.end()
})
afterAll(() => rmSync(directory, { recursive: true }))

async function connect(port: number, from = CLIENT): Promise<WireClient> {
  const client = await WireClient.connectFrom(from, port)
  clients.push(client)
  return client
}

/** Stands for the client's port, whatever that is. */
const OWN = -1

interface Facts {
  remoteAddress: string
  remotePort: number
}

async function factsOf(client: WireClient): Promise<Facts> {
  const { remoteAddress, remotePort } = JSON.parse(await client.ask('!facts')) as Facts
  return { remoteAddress, remotePort }
}

async function closeInOrder(client: WireClient): Promise<void> {
  client.send(closeFrame(1000))
  expect((await client.closing()).code).toBe(1000)
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
const HEADER = proxyV2(0x21, 0x11, '203.0.113.7', '192.0.2.1', 5000, 443, [tlv(0x02, 'example.com')])

describe('a PROXY header', () => {
  describe.each(handoffWays)('with $way', ({ way, options }) => {
    let server: ServerProcess

    beforeAll(async () => {
      if (options.skip) return
      server = await ServerProcess.start({ trustProxy, proxyProtocol: true, app: 'proxy-app.mjs' }, way)
    })
    afterAll(async () => server?.finish())

    test.each([
      ['version 1', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n'), '203.0.113.7', 5000],
      ['version 1, IPv6', Buffer.from('PROXY TCP6 2001:db8::7 ::1 5000 443\r\n'), '2001:db8::7', 5000],
      ['version 2', HEADER, '203.0.113.7', 5000],
      ['version 2, IPv6', proxyV2(0x21, 0x21, '2001:db8::7', '::1', 5000, 443), '2001:db8::7', 5000],
    ])(
      'of %s, with request and frames in one segment, and byte by byte',
      options,
      async (_, header, address, port) => {
        const bytes = Buffer.concat([header, Buffer.from(openingRequest()), frame(TEXT, 'first')])
        for (const size of [bytes.length, 1]) {
          const client = await connect(server.port, PROXY)
          for (let at = 0; at < bytes.length; at += size) {
            client.send(bytes.subarray(at, at + size))
            if (size === 1) await new Promise(resolve => setImmediate(resolve))
          }
          await client.handshake()
          expect(await client.text()).toBe('first')
          expect(await factsOf(client)).toEqual({ remoteAddress: address, remotePort: port })
          await closeInOrder(client)
        }
      },
    )

    test('names the client to HTTP, and to the WebSocket that follows', options, async () => {
      const client = await connect(server.port, PROXY)
      client.send(Buffer.concat([HEADER, Buffer.from(get('/x'))]))
      const { body } = await client.response()
      expect(JSON.parse(body)).toMatchObject({ remoteAddress: '203.0.113.7', remotePort: 5000 })
      client.send(openingRequest())
      await client.handshake()
      expect((await factsOf(client)).remoteAddress).toBe('203.0.113.7')
      await closeInOrder(client)
    })

    test('of the proxy’s own connection leaves the proxy’s address', options, async () => {
      for (const header of [proxyV2(0x20, 0, Buffer.alloc(0)), Buffer.from('PROXY UNKNOWN\r\n')]) {
        const client = await connect(server.port, PROXY)
        client.send(Buffer.concat([header, Buffer.from(openingRequest())]))
        await client.handshake()
        expect(await factsOf(client)).toEqual({ remoteAddress: PROXY, remotePort: client.socket.localPort })
        await closeInOrder(client)
      }
    })

    test('of a client that the proxy does not know cannot forge another', options, async () => {
      // Who is named by the header is no proxy, so that its X-Forwarded-For is its own invention.
      const client = await connect(server.port, PROXY)
      client.send(
        Buffer.concat([HEADER, Buffer.from(openingRequest('/', ['X-Forwarded-For: 198.51.100.9']))]),
      )
      await client.handshake()
      expect((await factsOf(client)).remoteAddress).toBe('203.0.113.7')
      await closeInOrder(client)
    })

    test.each([
      ['no header', PROXY, openingRequest()],
      ['a header that is wrong', PROXY, `PROXY TCP4 203.0.113.7 192.0.2.1 5000\r\n${openingRequest()}`],
      ['half a header and FIN', PROXY, 'PROXY TCP4'],
      ['a header from who is not trusted', CLIENT, Buffer.concat([HEADER, Buffer.from(openingRequest())])],
      ['a request from who is not trusted', CLIENT, openingRequest()],
    ])('%s: closed without a response', options, async (_, from, bytes) => {
      const client = await connect(server.port, from)
      client.send(bytes)
      client.end()
      await client.ended()
      expect(client.received).toBe(0)
    })
  })

  test('that does not come is waited for as long as a handshake', async () => {
    const server = await ServerProcess.start({ trustProxy, proxyProtocol: true, handshakeTimeoutMs: 200 })
    const silent = await connect(server.port, PROXY)
    const slow = await connect(server.port, PROXY)
    slow.send(HEADER.subarray(0, 20))
    await Promise.all([silent.ended(), slow.ended()])
    expect([silent.received, slow.received]).toEqual([0, 0])
    await server.finish()
  })
})

describe('the limit of connections per client', () => {
  const openAs = async (server: ServerProcess, address: string): Promise<[number, WireClient]> => {
    const client = await connect(server.port, PROXY)
    client.send(openingRequest('/', [`X-Forwarded-For: ${address}`]))
    return [(await client.response()).status, client]
  }

  test('is for those behind the proxy, over all shards, and is given back', async () => {
    const server = await ServerProcess.start({ trustProxy, maxConnectionsPerIp: 2, workers: 2 })
    const opened = []
    for (let count = 0; count < 6; count++) opened.push(await openAs(server, '203.0.113.7'))
    expect(opened.map(([status]) => status)).toEqual([101, 101, 429, 429, 429, 429])
    expect((await openAs(server, '203.0.113.8'))[0]).toBe(101)
    // Two of one /64 network are one client.
    await openAs(server, '2001:db8::1')
    await openAs(server, '2001:db8::2')
    expect((await openAs(server, '2001:db8::3'))[0]).toBe(429)
    await closeInOrder(opened[0][1])
    opened[0][1].end()
    for (const [status, client] of opened) if (status === 429) client.end()
    await until('it is given back', async () => (await server.stats()).total.sockets === 4)
    expect((await openAs(server, '203.0.113.7'))[0]).toBe(101)
    expect((await openAs(server, '203.0.113.7'))[0]).toBe(429)

    // A shard that crashes takes its connections with it.
    for (const client of clients.splice(0)) client.end()
    await until('all are gone', async () => (await server.stats()).total.sockets === 0)
    const [, first] = await openAs(server, '203.0.113.7')
    await openAs(server, '203.0.113.7')
    first.sendText('!crash')
    await first.ended()
    // The client knows of the crash before the main thread does.
    await until('the new shard', async () => {
      const { shards } = await server.stats()
      return shards.some(({ restarts }) => restarts === 1) && shards.every(({ state }) => state === 'ready')
    })
    expect((await openAs(server, '203.0.113.7'))[0]).toBe(101)
    expect((await openAs(server, '203.0.113.7'))[0]).toBe(429)
    for (const client of clients.splice(0)) client.end()
    await server.empty()
    await server.close()
  })

  test('is still the main thread’s for those who connect themselves', async () => {
    const server = await ServerProcess.start({ trustProxy, maxConnectionsPerIp: 1 })
    const client = await connect(server.port, CLIENT)
    client.send(openingRequest())
    await client.handshake()
    const refused = await connect(server.port, CLIENT)
    await refused.ended()
    expect((await server.stats()).refused.maxConnectionsPerIp).toBe(1)
    await closeInOrder(client)
    client.end()
    refused.end()
    await server.finish()
  })
})

describe('X-Forwarded-For', () => {
  let server: ServerProcess

  beforeAll(async () => {
    server = await ServerProcess.start({ trustProxy })
  })
  afterAll(async () => server.finish())

  test('of a trusted proxy names the client', async () => {
    const client = await connect(server.port, PROXY)
    client.send(openingRequest('/', ['X-Forwarded-For: 198.51.100.9, 203.0.113.7']))
    await client.handshake()
    expect(await factsOf(client)).toEqual({ remoteAddress: '203.0.113.7', remotePort: 0 })
    await closeInOrder(client)
  })

  test('of anybody else is not looked at', async () => {
    for (const value of ['203.0.113.7', 'nonsense']) {
      const client = await connect(server.port, CLIENT)
      client.send(openingRequest('/', [`X-Forwarded-For: ${value}`]))
      await client.handshake()
      expect(await factsOf(client)).toEqual({ remoteAddress: CLIENT, remotePort: client.socket.localPort })
      await closeInOrder(client)
    }
  })

  test('of a trusted proxy that can’t be read is 400', async () => {
    const client = await connect(server.port, PROXY)
    client.send(openingRequest('/', ['X-Forwarded-For: nonsense']))
    expect((await client.response()).status).toBe(400)
    expect(await client.ended()).toBe('fin')
  })
})

/** What all proxies are asked. @returns what the application is told of the client, its port relative to the true one */
async function echoThrough(port: number): Promise<Facts> {
  const client = await connect(port)
  const { localPort } = client.socket
  client.send(Buffer.concat([Buffer.from(openingRequest('/chat')), frame(TEXT, 'early')]))
  await client.handshake()
  expect(await client.text()).toBe('early')
  const facts = await factsOf(client)
  const big = 'x'.repeat(500_000)
  expect(await client.ask(big)).toBe(big)
  await closeInOrder(client)
  return { ...facts, remotePort: facts.remotePort === localPort ? OWN : facts.remotePort }
}

describe('HAProxy', needs(haproxyPath(), counterparts.haproxy.reason), () => {
  const unix = join(directory, 'haproxy.sock')
  let servers: ServerProcess[] = []
  let proxy: ProxyProcess
  let ports: number[] = []

  beforeAll(async () => {
    servers = await Promise.all([
      ServerProcess.start({ trustProxy, app: 'proxy-app.mjs' }),
      ServerProcess.start({ trustProxy, proxyProtocol: true, app: 'proxy-app.mjs' }),
      ServerProcess.start({ trustProxy, proxyProtocol: true, unix, app: 'proxy-app.mjs' }),
    ])
    const [plain, announced] = servers.map(server => server.port)
    ports = await freePorts(5)
    const listen = (name: string, port: number, mode: string, lines: string): string =>
      `listen ${name}\n  bind 127.0.0.1:${port}\n  mode ${mode}\n  ${lines}\n`
    proxy = await ProxyProcess.haproxy(
      directory,
      [
        listen('http', ports[0], 'http', `option forwardfor\n  server a 127.0.0.1:${plain}`),
        listen('v1', ports[1], 'tcp', `server a 127.0.0.1:${announced} send-proxy`),
        listen('v2', ports[2], 'tcp', `server a 127.0.0.1:${announced} send-proxy-v2`),
        listen(
          'v2crc',
          ports[3],
          'tcp',
          `server a 127.0.0.1:${announced} send-proxy-v2 proxy-v2-options crc32c check inter 100`,
        ),
        listen('unix', ports[4], 'tcp', `server a unix@${unix} send-proxy-v2`),
      ].join(''),
      ports,
    )
  })
  afterAll(async () => {
    await proxy.stop()
    for (const server of servers) await server.finish()
  })

  test.each([
    [0, 'as HTTP reverse proxy', 0],
    [1, 'with PROXY v1', OWN],
    [2, 'with PROXY v2', OWN],
    [3, 'with PROXY v2, checksum and health checks', OWN],
    [4, 'with PROXY v2 over a Unix domain socket', OWN],
  ])('(%i) %s', async (index, _, remotePort) => {
    expect(await echoThrough(ports[index])).toEqual({ remoteAddress: CLIENT, remotePort })
  })

  test('passes HTTP and then WebSocket on', async () => {
    const client = await connect(ports[2])
    client.send(get('/x'))
    expect(JSON.parse((await client.response()).body)).toMatchObject({ remoteAddress: CLIENT })
    client.send(openingRequest())
    await client.handshake()
    expect((await factsOf(client)).remoteAddress).toBe(CLIENT)
    await closeInOrder(client)
  })
})

describe('nginx', needs(nginxPath(), counterparts.nginx.reason), () => {
  const unix = join(directory, 'nginx.sock')
  let servers: ServerProcess[] = []
  let proxy: ProxyProcess
  let ports: number[] = []

  beforeAll(async () => {
    servers = await Promise.all([
      ServerProcess.start({ trustProxy, app: 'proxy-app.mjs' }),
      ServerProcess.start({ trustProxy, trustProxyHeader: 'forwarded', unix, app: 'proxy-app.mjs' }),
      ServerProcess.start({ trustProxy, proxyProtocol: true, app: 'proxy-app.mjs' }),
    ])
    const [plain, , announced] = servers.map(server => server.port)
    ports = await freePorts(3)
    const location = (upstream: string, lines: string): string => `
      location / {
        proxy_pass http://${upstream};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header Host $host;
        ${lines}
      }`
    proxy = await ProxyProcess.nginx(
      directory,
      `map $http_upgrade $connection_upgrade { default upgrade; '' close; }
      server {
        listen 127.0.0.1:${ports[0]};
        ${location(`127.0.0.1:${plain}`, 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;')}
      }
      server {
        listen 127.0.0.1:${ports[1]};
        ${location(`unix:${unix}:`, 'proxy_set_header Forwarded "for=\\"$remote_addr:$remote_port\\";proto=$scheme";')}
      }`,
      `server { listen 127.0.0.1:${ports[2]}; proxy_pass 127.0.0.1:${announced}; proxy_protocol on; }`,
      nginxStreamModule() === undefined ? ports.slice(0, 2) : ports,
    )
  })
  afterAll(async () => {
    await proxy.stop()
    for (const server of servers) await server.finish()
  })

  test('as HTTP reverse proxy, with X-Forwarded-For', async () => {
    expect(await echoThrough(ports[0])).toEqual({ remoteAddress: CLIENT, remotePort: 0 })
  })

  test('adds to what the client invents, which is not believed', async () => {
    const client = await connect(ports[0])
    client.send(openingRequest('/', ['X-Forwarded-For: 198.51.100.9']))
    await client.handshake()
    expect((await factsOf(client)).remoteAddress).toBe(CLIENT)
    await closeInOrder(client)
  })

  test('as HTTP reverse proxy, with Forwarded, over a Unix domain socket', async () => {
    expect(await echoThrough(ports[1])).toEqual({ remoteAddress: CLIENT, remotePort: OWN })
  })

  test('with PROXY v1', needs(nginxStreamModule(), counterparts.nginxStream.reason), async () => {
    expect(await echoThrough(ports[2])).toEqual({ remoteAddress: CLIENT, remotePort: OWN })
  })
})
