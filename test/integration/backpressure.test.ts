// Clients that don't read. What waits for them is bounded, and nobody else is disturbed.
import { afterEach, describe, expect, test } from 'vitest'
import { CLOSE, frame, PING, PONG, text } from '../support/frames.js'
import { ServerProcess, type ServerProcessOptions } from '../support/server-process.js'
import { until } from '../support/until.js'
import { WireClient } from '../support/wire-client.js'

const MIB = 2 ** 20

let server: ServerProcess | undefined

afterEach(() => {
  server?.kill()
  server = undefined
})

/** One shard: whoever is disturbed would be here. */
async function start(options: ServerProcessOptions = {}): Promise<ServerProcess> {
  server = await ServerProcess.start({ workers: 1, closeTimeoutMs: 600_000, ...options })
  return server
}

/** Resolves once the server reads nothing more from `client`, while others are served all along. */
async function standstill(of: ServerProcess, healthy: WireClient): Promise<void> {
  let bytesIn = -1
  let rounds = 0
  await until('the server stops reading', async () => {
    for (let i = 0; i < 5; i++) expect(await healthy.ask(`healthy ${i}`)).toBe(`healthy ${i}`)
    const { total } = await of.stats()
    // What the healthy client sends is a few hundred bytes a round.
    rounds = total.bytesIn - bytesIn < 1000 ? rounds + 1 : 0
    bytesIn = total.bytesIn
    return rounds === 10
  })
}

/** Sends until the kernel takes no more for a while, and is told what was sent. */
function pump(client: WireClient, make: (i: number) => Buffer, count: number): void {
  let i = 0
  const next = (): void => {
    while (i < count) if (!client.socket.write(make(i++))) return void client.socket.once('drain', next)
  }
  next()
}

describe('an echo server and a client that sends and does not read', () => {
  test.each([
    ['messages of 60,000 bytes', 60_000, 1000],
    ['messages of 1 MiB', MIB, 64],
    ['messages of 300 bytes', 300, 200_000],
  ])('%s: reading stops; later everything comes, in order', async (_, size, count) => {
    const echo = await start()
    const healthy = [await WireClient.open(echo.port), await WireClient.open(echo.port)] as const
    const before = await echo.memory()
    const client = await WireClient.open(echo.port)
    client.socket.pause()
    pump(client, i => text(`${i} `.padEnd(size, '.')), count)

    await standstill(echo, healthy[0])
    const { total, shards } = await echo.stats()
    // Most of it is in the kernel's buffers, or has not been sent.
    expect(total.bytesIn).toBeLessThan((size * count) / 2)
    expect(shards[0]?.eventLoopDelayMs).toBeLessThan(500)
    const { mostBuffered } = await echo.app()
    expect(mostBuffered).toBeGreaterThan(0)
    expect(mostBuffered).toBeLessThanOrEqual(65_536 + 65_536 + size + 14)
    const stalled = await echo.memory()
    expect(stalled.heapUsed + stalled.external - before.heapUsed - before.external).toBeLessThan(8 * MIB)

    client.socket.resume()
    const wrong: string[] = []
    for (let i = 0; i < count; i++) {
      const answer = await client.text()
      if (answer.length !== size || !answer.startsWith(`${i} `)) wrong.push(`${i}: ${answer.slice(0, 20)}`)
    }
    expect(wrong).toEqual([])
    expect(await healthy[1].ask('still there?')).toBe('still there?')
    client.end()
    expect(await client.rest()).toEqual({ frames: [], ending: 'fin' })
    for (const each of healthy) each.end()
    await echo.finish()
  })

  test('a flood of Pings: the latest is answered, the rest costs nothing', async () => {
    const echo = await start()
    const healthy = await WireClient.open(echo.port)
    const before = await echo.memory()
    const client = await WireClient.open(echo.port)
    client.socket.pause()
    const count = 200_000
    const perWrite = 10_000
    const payload = (i: number): string => `ping ${i} `.padEnd(100, '.')
    pump(
      client,
      batch =>
        Buffer.concat(Array.from({ length: perWrite }, (_, i) => frame(PING, payload(batch * perWrite + i)))),
      count / perWrite,
    )
    const bytes = count * frame(PING, payload(0)).length
    await until('all Pings are read', async () => {
      expect(await healthy.ask('healthy')).toBe('healthy')
      return (await echo.stats()).total.bytesIn > bytes
    })
    const flooded = await echo.memory()
    expect(flooded.heapUsed + flooded.external - before.heapUsed - before.external).toBeLessThan(4 * MIB)

    client.socket.resume()
    // What is read is not handled at once, so that nobody knows before how many are skipped.
    let answered = 0
    for (let last = ''; last !== payload(count - 1); answered++) {
      const { opcode, payload: pong } = await client.frame()
      expect(opcode).toBe(PONG)
      last = pong.toString()
    }
    const { pongsSkipped } = (await echo.stats()).total
    expect(pongsSkipped).toBeGreaterThan(count / 4)
    expect(answered).toBe(count - pongsSkipped)
    for (const each of [client, healthy]) each.end()
    await echo.finish()
  })
})

describe('maxBackpressure', () => {
  const SIZE = 10_000
  const COUNT = 3000

  test('close: what was accepted still comes, then 1008', async () => {
    const app = await start({ maxBackpressure: 4 * MIB })
    const healthy = await WireClient.open(app.port)
    const client = await WireClient.open(app.port)
    client.socket.pause()
    client.sendText(`!flood ${COUNT} ${SIZE}`)
    await until('some are dropped', async () => (await app.stats()).total.messagesDropped > 0)
    expect(await healthy.ask('healthy')).toBe('healthy')
    const { messagesDropped, messagesOut } = (await app.stats()).total
    expect(messagesOut - 1 + messagesDropped).toBe(COUNT)
    // 4 MiB here, and what the kernel holds for both ends.
    expect(messagesOut * SIZE).toBeGreaterThan(4 * MIB - SIZE)

    client.socket.resume()
    const { code, before } = await client.closing()
    client.end()
    expect(code).toBe(1008)
    expect(before.length).toBe(messagesOut - 1)
    expect(
      before.every(({ payload }, i) => payload.length === SIZE && payload.toString().startsWith(`${i} `)),
    ).toBe(true)
    healthy.end()
    await app.empty()
    expect((await app.app()).codes).toEqual({ 1008: 1, 1006: 1 })
    await app.finish()
  })

  test('drop: what was accepted comes, then drain, and the connection goes on', async () => {
    const app = await start({ maxBackpressure: MIB, backpressurePolicy: 'drop' })
    const healthy = await WireClient.open(app.port)
    const client = await WireClient.open(app.port)
    client.socket.pause()
    client.sendText(`!flood ${COUNT} ${SIZE}`)
    await until('some are dropped', async () => (await app.stats()).total.messagesDropped > 0)
    expect(await healthy.ask('healthy')).toBe('healthy')
    expect((await app.app()).drains).toBe(0)

    client.socket.resume()
    let received = 0
    let drained = ''
    const wrong: string[] = []
    while (drained === '') {
      const answer = await client.text()
      if (answer.startsWith('drained')) drained = answer
      else if (!answer.startsWith(`${received++} `) || answer.length !== SIZE) wrong.push(answer.slice(0, 20))
    }
    expect(wrong).toEqual([])
    const {
      sent = 0,
      buffered = 0,
      dropped = 0,
    } = JSON.parse(drained.slice('drained'.length)) as Record<string, number>
    expect(sent + buffered + dropped).toBe(COUNT)
    expect(dropped).toBeGreaterThan(0)
    expect(buffered).toBeGreaterThan(0)
    // The drain may come while some are on their way still.
    const { messagesDropped } = (await app.stats()).total
    expect(messagesDropped).toBe(dropped)
    while (received < sent + buffered) {
      expect((await client.text()).startsWith(`${received++} `)).toBe(true)
    }
    expect(await client.ask('goes on')).toBe('goes on')
    for (const each of [client, healthy]) each.end()
    await app.finish()
  })

  test('a client that never reads is cut when the closing handshake takes too long', async () => {
    const app = await start({ maxBackpressure: MIB, closeTimeoutMs: 50 })
    const client = await WireClient.open(app.port)
    client.socket.pause()
    client.sendText(`!flood ${COUNT} ${SIZE}`)
    await until(
      'it is cut',
      async () => (await app.stats()).total.socketsTotal === 1 && (await app.stats()).total.sockets === 0,
    )
    expect((await app.app()).codes).toEqual({ 1008: 1 })
    client.reset()
    await app.finish()
  })
})

test('close() reaches clients that do not read', async () => {
  const app = await start()
  const client = await WireClient.open(app.port)
  client.socket.pause()
  pump(client, i => text(`${i} `.padEnd(60_000, '.')), 1000)
  const healthy = await WireClient.open(app.port)
  await standstill(app, healthy)
  const closed = app.close({ timeoutMs: 200 })
  expect((await healthy.frame()).opcode).toBe(CLOSE)
  await closed
  client.reset()
  healthy.end()
})
