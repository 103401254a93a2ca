// TLS: the handshake runs in the shards. Clients are `ws`, Node's own and, for what those can't do, raw bytes.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { text as textFrame } from '../support/frames.js'
import { ServerProcess } from '../support/server-process.js'
import {
  authority,
  Client,
  closers,
  closing,
  failure,
  fetch,
  keep,
  localhost,
  renewed,
  server,
  setUpTls,
  start,
} from '../support/tls-server.js'
import { soon, until } from '../support/until.js'
import { openingRequest } from '../support/wire-client.js'

setUpTls()

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
    const local = keep(await ServerProcess.start({ tls: { key, cert } }, 'local'))
    const client = await Client.open(local.port)
    expect(await client.ask('hello')).toBe('hello')
    await local.reloadTls({ key: renewed.key, cert: renewed.cert })
    expect((await Client.open(local.port)).stream.getPeerCertificate().subject.CN).toBe('localhost')
    expect((await Client.open(local.port)).stream.getPeerCertificate().subjectaltname).toContain('renewed')
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
