// Who speaks something else than TLS, or only half of it.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { clientHello } from '../support/client-hello.js'
import { total as metric, parseMetrics } from '../support/metrics.js'
import { ServerProcess } from '../support/server-process.js'
import {
  authority,
  Client,
  closers,
  closing,
  failure,
  fetch,
  keep,
  setUpTls,
  start,
} from '../support/tls-server.js'
import { soon, until } from '../support/until.js'
import { openingRequest } from '../support/wire-client.js'

setUpTls()

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
    const echo = keep(await ServerProcess.start({ logLevel: 'info' }))
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
