// How TCP may end: with a half-close, with a reset in any state. Nothing may stay, nothing be told twice.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Approach, afterOpen, beforeOpen, upgraded } from '../support/approaches.js'
import { CLOSE, closeFrame, frame, PING, TEXT, text } from '../support/frames.js'
import { type AppCounts, ServerProcess } from '../support/server-process.js'
import { until } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

/** Deadlines that no test waits for: what ends does so by itself. */
const PATIENT = { closeTimeoutMs: 600_000, handshakeTimeoutMs: 600_000 }

let server: ServerProcess

beforeAll(async () => {
  server = await ServerProcess.start({ ...PATIENT, maxBackpressure: 2 ** 26 })
})

afterAll(() => server.finish())

/** What the application saw, once it has seen the end of every connection. */
async function settled(): Promise<AppCounts> {
  await server.empty()
  return server.app()
}

describe("a client's FIN", () => {
  test('after messages: all answers, then FIN at once', async () => {
    const client = await WireClient.open(server.port)
    client.send(Buffer.concat([text('one'), frame(PING, 'two'), text('three')]))
    client.end()
    const { frames, ending } = await client.rest()
    expect(frames.map(({ payload }) => payload.toString())).toEqual(['one', 'two', 'three'])
    expect(ending).toBe('fin')
    await server.empty()
  })

  test('after 16 MiB that it reads only then: all answers', async () => {
    const client = await WireClient.open(server.port)
    client.socket.pause()
    for (let i = 0; i < 16; i++) client.sendText(`${i} `.padEnd(2 ** 20, '.'))
    client.end()
    client.socket.resume()
    for (let i = 0; i < 16; i++) expect((await client.text()).startsWith(`${i} .`)).toBe(true)
    expect(await client.rest()).toEqual({ frames: [], ending: 'fin' })
    await server.empty()
  })

  test('while an asynchronous handler runs: its answer, then FIN', async () => {
    const client = await WireClient.open(server.port)
    client.send(Buffer.concat([text('!later b'), text('a')]))
    client.end()
    const { frames, ending } = await client.rest()
    expect(frames.map(({ payload }) => payload.toString())).toEqual(['a', 'b'])
    expect(ending).toBe('fin')
  })

  test('without a message, in the middle of one, of a frame, of a header', async () => {
    const before = (await settled()).codes['1006'] ?? 0
    const parts = [Buffer.alloc(0), text('a', { fin: false }), text('abc').subarray(0, 7), Buffer.of(0x81)]
    for (const part of parts) {
      const client = await WireClient.open(server.port)
      client.send(part)
      client.end()
      expect(await client.rest()).toEqual({ frames: [], ending: 'fin' })
    }
    expect((await settled()).codes['1006']).toBe(before + parts.length)
  })

  test('before and inside of the opening request', async () => {
    for (const head of ['', 'GET ', openingRequest().slice(0, -2)]) {
      const client = await WireClient.connect(server.port)
      client.send(head)
      client.end()
      expect(await client.rest()).toEqual({ frames: [], ending: 'fin' })
    }
    await server.empty()
  })

  test('in the segment of its Close frame: code and order are those of a clean close', async () => {
    const before = (await settled()).codes['4003'] ?? 0
    const client = await WireClient.open(server.port)
    client.send(Buffer.concat([text('last'), closeFrame(4003)]))
    client.end()
    expect(await client.closing()).toMatchObject({ code: 4003, before: [{ opcode: TEXT }] })
    expect((await settled()).codes['4003']).toBe(before + 1)
  })
})

describe('a reset releases everything', () => {
  const PER_STATE = 10

  async function resetAll(approach: Approach): Promise<AppCounts> {
    const { total } = await server.stats()
    const clients = await Promise.all(
      Array.from({ length: PER_STATE }, () => WireClient.connect(server.port)),
    )
    try {
      const counts = await Promise.all(
        clients.map(async client => (await approach(client)) ?? client.socket.bytesWritten),
      )
      const sent = counts.reduce((sum, bytes) => sum + bytes, 0)
      await until(
        'the server has read it',
        async () => (await server.stats()).total.bytesIn >= total.bytesIn + sent,
      )
    } finally {
      for (const client of clients) client.reset()
    }
    return settled()
  }

  test.each(Object.entries(beforeOpen))('%s; the application knows nothing of it', async (_, approach) => {
    const sockets = server.sockets()
    const before = await settled()
    const after = await resetAll(approach)
    expect(after).toMatchObject({ opens: before.opens, closes: before.closes })
    expect(server.sockets()).toBe(sockets)
  })

  test.each(Object.entries(afterOpen))('%s; close is called once, with 1006', async (_, approach) => {
    const sockets = server.sockets()
    const before = await settled()
    const after = await resetAll(approach)
    expect(after).toMatchObject({
      opens: before.opens + PER_STATE,
      closes: before.closes + PER_STATE,
      twice: 0,
      errors: 0,
      codes: { '1006': (before.codes['1006'] ?? 0) + PER_STATE },
    })
    expect(server.sockets()).toBe(sockets)
  })

  test('after a violation, whose code stays', async () => {
    const before = (await settled()).codes['1002'] ?? 0
    const after = await resetAll(async client => {
      await upgraded(client)
      client.send(frame(3))
      await client.closing()
    })
    expect(after.codes['1002']).toBe(before + PER_STATE)
  })
})

describe('what the server does by itself', () => {
  test('terminate() cuts TCP without a Close frame', async () => {
    const client = await WireClient.open(server.port)
    client.sendText('!terminate')
    const { frames } = await client.rest()
    expect(frames).toEqual([])
    client.end()
    await server.empty()
  })

  test.each(['!throw', '!reject'])('a handler that fails (%s) closes with 1011', async command => {
    const before = await settled()
    const client = await WireClient.open(server.port)
    client.sendText(command)
    const { payload } = await client.frame()
    expect(payload.readUInt16BE()).toBe(1011)
    client.send(closeFrame(1011))
    expect(await client.ended()).toBe('fin')
    client.end()
    expect((await settled()).errors).toBe(before.errors + 1)
  })

  test('a client that does not answer the Close frame is cut', async () => {
    const hasty = await ServerProcess.start({ closeTimeoutMs: 50 })
    const client = await WireClient.open(hasty.port)
    client.sendText('!close 4000')
    expect((await client.frame()).opcode).toBe(CLOSE)
    await client.ended()
    client.end()
    await hasty.empty()
    expect((await hasty.app()).codes).toEqual({ 1006: 1 })
    await hasty.finish()
  })

  test('a client that does not end TCP after the closing handshake is cut', async () => {
    const hasty = await ServerProcess.start({ closeTimeoutMs: 50 })
    const client = await WireClient.open(hasty.port)
    client.send(closeFrame(4000))
    expect((await client.closing()).code).toBe(4000)
    await hasty.empty()
    expect((await hasty.app()).codes).toEqual({ 4000: 1 })
    client.end()
    await hasty.finish()
  })

  test('silent clients are pinged, then dropped', async () => {
    const strict = await ServerProcess.start({ idlePingMs: 100, idleTimeoutMs: 300 })
    const client = await WireClient.open(strict.port)
    expect((await client.frame()).opcode).toBe(PING)
    await client.ended()
    client.end()
    await strict.empty()
    expect((await strict.app()).codes).toEqual({ 1006: 1 })
    await strict.finish()
  })

  test('close() says 1001 to all and waits for them, also for one in the middle of a message', async () => {
    const stopped = await ServerProcess.start(PATIENT)
    const clients = await Promise.all(Array.from({ length: 6 }, () => WireClient.open(stopped.port)))
    clients[0]?.send(text('part', { fin: false }))
    const closed = stopped.close()
    for (const client of clients) {
      const { opcode, payload } = await client.frame()
      expect([opcode, payload.readUInt16BE()]).toEqual([CLOSE, 1001])
      client.send(closeFrame(1001))
      expect(await client.ended()).toBe('fin')
      client.end()
    }
    await closed
    await expect(WireClient.connect(stopped.port)).rejects.toThrow('ECONNREFUSED')
  })
})
