// What comes before TLS, and after HTTP over TLS: PROXY headers, and connections that HTTP gives back.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTcp, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { counterparts, haproxyPath } from '../counterparts.js'
import { needs } from '../needs.js'
import { Authority } from '../support/certificates.js'
import { frame, TEXT } from '../support/frames.js'
import { handoffWays } from '../support/handoff-ways.js'
import { parseMetrics, total } from '../support/metrics.js'
import { freePorts, ProxyProcess } from '../support/proxies.js'
import { proxyV2 } from '../support/proxy-header.js'
import { ServerProcess } from '../support/server-process.js'
import { soon } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

/** Whom the proxies connect from. */
const PROXY = '127.0.0.1'
const HEADER = proxyV2(0x21, 0x11, '203.0.113.7', '192.0.2.1', 5000, 443)

const directory = mkdtempSync(join(tmpdir(), 'shardws-'))
const closers: (() => unknown)[] = []
let authority: Authority
let tls: { key: string; cert: string }

beforeAll(async () => {
  authority = await Authority.create()
  const { key, cert } = authority.server('localhost', 'localhost')
  tls = { key, cert }
})
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})
afterAll(async () => {
  await authority.remove()
  rmSync(directory, { recursive: true })
})

/** A proxy that puts `header` before what its one client says, in the same segment, or sends byte by byte. */
async function relay(port: number, header: Buffer, size: number): Promise<number> {
  const server: Server = createServer({ noDelay: true }, near => {
    const far = connectTcp({ port, host: '127.0.0.1', localAddress: PROXY, noDelay: true })
    let before: Buffer | undefined = header
    near.on('data', chunk => {
      const bytes = before === undefined ? chunk : Buffer.concat([before, chunk])
      before = undefined
      // TLS itself is cut elsewhere: here it is the header, and what comes right behind it.
      const cut = Math.min(bytes.length, size === 1 ? header.length + 20 : 0)
      for (let at = 0; at < cut; at++) far.write(bytes.subarray(at, at + 1))
      if (cut < bytes.length) far.write(bytes.subarray(cut))
    })
    far.on('data', chunk => near.write(chunk))
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      socket.on('end', () => other.end())
      socket.on('error', () => other.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return (server.address() as { port: number }).port
}

async function secure(port: number | string): Promise<WireClient> {
  const where = typeof port === 'string' ? { path: port } : { port, host: '127.0.0.1' }
  const options = { ...where, ca: authority.root.cert, servername: 'localhost', allowHalfOpen: true }
  const socket = connect(options as ConnectionOptions)
  closers.push(() => socket.destroy())
  await soon('TLS is there', once(socket, 'secureConnect'))
  return WireClient.of(socket)
}

async function addressOf(client: WireClient): Promise<string> {
  return (JSON.parse(await client.ask('!facts')) as { remoteAddress: string }).remoteAddress
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

describe('a PROXY header before TLS', () => {
  describe.each(handoffWays)('with $way', ({ way, options }) => {
    test.each([
      ['in one segment with the ClientHello', 0],
      ['byte by byte', 1],
    ])('%s', options, async (_, size) => {
      const server = await ServerProcess.start({ trustProxy: [PROXY], proxyProtocol: true, tls }, way)
      closers.push(() => server.kill())
      const client = await secure(await relay(server.port, HEADER, size))
      client.send(Buffer.concat([Buffer.from(openingRequest()), frame(TEXT, 'first')]))
      await client.handshake()
      expect(await client.text()).toBe('first')
      expect(await addressOf(client)).toBe('203.0.113.7')
      const big = 'x'.repeat(300_000)
      expect(await client.ask(big)).toBe(big)
      client.end()
      await client.ended()
      await server.finish()
    })
  })

  test('of who is not trusted, none at all, or none in time: closed, and no TLS handshake has failed', async () => {
    const server = await ServerProcess.start({
      trustProxy: ['127.0.0.9'],
      proxyProtocol: true,
      tls,
      handshakeTimeoutMs: 300,
      metricsPath: '/metrics',
    })
    closers.push(() => server.kill())
    const strangers = [PROXY, '127.0.0.9', '127.0.0.9'].map(address =>
      WireClient.connectFrom(address, server.port),
    )
    const [untrusted, headless, silent] = await Promise.all(strangers)
    untrusted.send(HEADER)
    headless.send(Buffer.from([22, 3, 1, 0, 200]))
    for (const client of [untrusted, headless, silent]) {
      await client.ended()
      expect(client.received).toBe(0)
      client.end()
    }
    await server.empty()
    const reader = await WireClient.connectFrom('127.0.0.9', server.port)
    reader.send(HEADER)
    const socket = connect({ socket: reader.socket, ca: authority.root.cert, servername: 'localhost' })
    closers.push(() => socket.destroy())
    await soon('TLS is there', once(socket, 'secureConnect'))
    const client = WireClient.of(socket)
    client.send(get('/metrics'))
    const metrics = parseMetrics((await client.response()).body)
    expect(total(metrics, 'shardws_tls_handshakes_failed_total')).toBe(0)
    client.end()
    await server.finish()
  })

  test('of HAProxy, which passes TLS on', needs(haproxyPath(), counterparts.haproxy.reason), async () => {
    const server = await ServerProcess.start({ trustProxy: [PROXY], proxyProtocol: true, tls })
    closers.push(() => server.kill())
    const [port] = await freePorts(1)
    const proxy = await ProxyProcess.haproxy(
      directory,
      `listen tls\n  bind 127.0.0.1:${port}\n  mode tcp\n  server a 127.0.0.1:${server.port} send-proxy-v2\n`,
      [port],
    )
    closers.push(() => proxy.stop())
    const client = await secure(port)
    client.send(openingRequest())
    await client.handshake()
    expect(await addressOf(client)).toBe(PROXY)
    expect(await client.ask('through')).toBe('through')
    client.end()
    await client.ended()
    await proxy.stop()
    await server.finish()
  })
})

describe('HTTP over TLS', () => {
  test('keeps the connection alive, and goes on to WebSocket', async () => {
    const server = await ServerProcess.start({ tls, app: 'proxy-app.mjs' })
    closers.push(() => server.kill())
    const client = await secure(server.port)
    for (const path of ['/one', '/two']) {
      client.send(get(path))
      expect(JSON.parse((await client.response()).body)).toMatchObject({ url: path })
    }
    client.send(Buffer.concat([Buffer.from(openingRequest()), frame(TEXT, 'early')]))
    await client.handshake()
    expect(await client.text()).toBe('early')
    const big = 'x'.repeat(300_000)
    expect(await client.ask(big)).toBe(big)
    expect(await addressOf(client)).toBe('127.0.0.1')
    client.end()
    await client.ended()
    await server.finish()
  })

  test('and WebSocket at once, in one segment', async () => {
    const server = await ServerProcess.start({ tls, app: 'proxy-app.mjs' })
    closers.push(() => server.kill())
    const client = await secure(server.port)
    client.send(Buffer.concat([Buffer.from(get('/one') + openingRequest()), frame(TEXT, 'early')]))
    expect((await client.response()).status).toBe(200)
    await client.handshake()
    expect(await client.text()).toBe('early')
    client.end()
    await client.ended()
    await server.finish()
  })
})

test('TLS over a Unix domain socket', async () => {
  const path = join(directory, 'tls.sock')
  const server = await ServerProcess.start({ tls, unix: path })
  closers.push(() => server.kill())
  const client = await secure(path)
  client.send(openingRequest())
  await client.handshake()
  expect(await addressOf(client)).toBe('unix')
  client.end()
  await client.ended()
  await server.finish()
})
