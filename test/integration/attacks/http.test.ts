// Plain HTTP beside the WebSockets, by clients that take their time, or everything they can get.
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { connectMany, many, openMany, pour } from '../../support/attackers.js'
import { HTTP_PER_CONNECTION, memoryBound } from '../../support/memory-bound.js'
import { ServerProcess } from '../../support/server-process.js'
import { setStage } from '../../support/stage.js'
import { until } from '../../support/until.js'
import { WireClient } from '../../support/wire-client.js'

const OPTIONS = { handshakeTimeoutMs: 2000, closeTimeoutMs: 500, maxConnections: 500 }
const ATTACKERS = 300
/** For a request with its body; by default it is 30 s. */
const BODY_MS = 3000
/** What its end may be late by: time-outs are looked for every second or less, and the attackers are hundreds. */
const LATE_MS = 4000
const GET = 'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n'

const stage = setStage({ ...OPTIONS, app: 'http-app.mjs' })
const bodies = setStage({
  ...OPTIONS,
  app: 'http-app.mjs',
  httpRequestTimeoutMs: BODY_MS,
  idleTimeoutMs: 2000,
  idlePingMs: 1000,
})

/** A client that has got a response, and keeps its connection. */
async function served(): Promise<WireClient> {
  const client = await WireClient.connect(stage.server.port)
  client.send(GET)
  expect((await client.response()).status).toBe(200)
  return client
}

const bound = memoryBound(OPTIONS, ATTACKERS) + ATTACKERS * HTTP_PER_CONNECTION

test('hundreds of requests whose body comes a byte at a time: 408 after httpRequestTimeoutMs', async () => {
  const { bystanders, server } = bodies
  const before = (await server.stats()).total.httpRequestsRefused
  await bystanders.during(bound, async () => {
    const clients = await connectMany(server.port, ATTACKERS)
    const start = performance.now()
    const head = 'POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n'
    for (const client of clients) client.send(head)
    // Who goes on sending after it may lose the 408 to a reset.
    while (performance.now() < start + BODY_MS - 500) {
      await pause(50)
      for (const client of clients) client.send('x')
    }
    expect((await server.stats()).total.sockets).toBe(ATTACKERS + bystanders.count)
    for (const client of clients) {
      expect((await client.response()).status).toBe(408)
      await client.ended()
      expect(performance.now() - start).toBeGreaterThan(BODY_MS - 50)
      client.end()
    }
    expect(performance.now() - start).toBeLessThan(BODY_MS + LATE_MS)
  })
  expect((await server.stats()).total.httpRequestsRefused).toBe(before + ATTACKERS)
})

test('second requests, whose head comes a byte at a time: ended after handshakeTimeoutMs', async () => {
  await stage.bystanders.during(bound, async () => {
    const clients = await many(ATTACKERS, served)
    const start = performance.now()
    const head = 'GET / HTTP/1.1\r\nX: '.padEnd(1000, 'x')
    let at = 0
    const timer = setInterval(() => {
      for (const client of clients) client.send(head[at] ?? '')
      at++
    }, 100)
    // Who goes on sending after it may lose the 408 to a reset.
    for (const client of clients) await client.ended()
    clearInterval(timer)
    for (const client of clients) client.reset()
    // handshakeTimeoutMs, and the second that it may be late by.
    expect(performance.now() - start).toBeLessThan(6000)
  })
})

test('connections that are kept alive for nothing: ended after some seconds', async () => {
  const start = performance.now()
  await stage.bystanders.during(bound, async () => {
    const clients = await many(ATTACKERS, served)
    for (const client of clients) {
      await client.ended()
      client.end()
    }
  })
  expect(performance.now() - start).toBeLessThan(20_000)
})

test.each([
  ['nobody reads', false],
  ['are read', true],
])('requests in a row, hundreds in a segment, whose responses %s', async (_, reads) => {
  const before = (await stage.server.stats()).total.socketsTotal
  const attackers = 20
  const requests = Buffer.from(GET.repeat(200))
  await stage.bystanders.during(bound, async () => {
    const end = performance.now() + 1500
    await many(attackers, async () => {
      const client = await WireClient.connect(stage.server.port, true)
      if (reads) client.socket.removeAllListeners('data').resume()
      await pour(client, () => requests, end)
      if (reads) await until('an answer', () => client.socket.bytesRead > 0)
      client.reset()
    })
  })
  expect((await stage.server.stats()).total.socketsTotal).toBe(before + attackers + 1)
})

test('thousands of requests in a row that the handler does not answer: cut after idleTimeoutMs', async () => {
  const { bystanders, server } = bodies
  const attackers = 20
  const requests = Buffer.from('GET /never HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(9999))
  const most = memoryBound(OPTIONS, attackers, 'held') + attackers * HTTP_PER_CONNECTION
  await bystanders.during(most, async () => {
    const clients = await connectMany(server.port, attackers)
    for (const client of clients) client.socket.write(requests)
    for (const client of clients) await client.ended()
    for (const client of clients) client.reset()
  })
  expect((await server.stats()).total.pinnedBytes).toBe(0)
})

test('answers that nobody takes: cut after idleTimeoutMs', async () => {
  const idle = await ServerProcess.start({ idleTimeoutMs: 500, idlePingMs: 200 })
  const client = await WireClient.connect(idle.port, true)
  const full = new Promise(resolve => client.socket.once('drain', resolve))
  await Promise.race([pour(client, () => Buffer.from(GET.repeat(200)), performance.now() + 1000), full])
  await idle.empty()
  expect((await idle.stats()).total.sockets).toBe(0)
  client.reset()
  await idle.finish()
})

test('more connections than maxConnections: closed at once, the others are served', async () => {
  const before = (await stage.server.stats()).refused.maxConnections
  await stage.bystanders.during(memoryBound(OPTIONS, OPTIONS.maxConnections), async () => {
    const room = OPTIONS.maxConnections - stage.bystanders.count
    const clients = await openMany(stage.server.port, room)
    await many(300, async () => {
      const client = await WireClient.connect(stage.server.port)
      await client.ended()
      client.reset()
    })
    expect(await clients[0]?.ask('still here')).toBe('still here')
    for (const client of clients) client.reset()
  })
  expect((await stage.server.stats()).refused.maxConnections).toBe(before + 300)
})
