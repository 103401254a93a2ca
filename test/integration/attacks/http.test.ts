// Plain HTTP beside the WebSockets, by clients that take their time, or everything they can get.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { many, openMany, pour } from '../../support/attackers.js'
import { Bystanders } from '../../support/bystanders.js'
import { HTTP_PER_CONNECTION, memoryBound } from '../../support/memory-bound.js'
import { ServerProcess } from '../../support/server-process.js'
import { until } from '../../support/until.js'
import { WireClient } from '../../support/wire-client.js'

const OPTIONS = { handshakeTimeoutMs: 2000, closeTimeoutMs: 500, maxConnections: 500 }
const ATTACKERS = 300
const GET = 'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n'

let server: ServerProcess
let bystanders: Bystanders

beforeAll(async () => {
  server = await ServerProcess.start({ ...OPTIONS, app: 'http-app.mjs' })
  bystanders = await Bystanders.of(server)
})

afterAll(async () => {
  await bystanders.close()
  await server.finish()
})

/** A client that has got a response, and keeps its connection. */
async function served(): Promise<WireClient> {
  const client = await WireClient.connect(server.port)
  client.send(GET)
  expect((await client.response()).status).toBe(200)
  return client
}

const bound = memoryBound(OPTIONS, ATTACKERS) + ATTACKERS * HTTP_PER_CONNECTION

test('hundreds of requests whose body comes a byte at a time', async () => {
  await bystanders.during(bound, async () => {
    const clients = await many(ATTACKERS, async () => {
      const client = await WireClient.connect(server.port)
      client.send('POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n')
      return client
    })
    for (let i = 0; i < 20; i++) {
      await Promise.all(clients.map(({ socket }) => new Promise(resolve => socket.write('x', resolve))))
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    // They have 30 s, and no more than maxConnections places.
    expect((await server.stats()).total.sockets).toBe(ATTACKERS + bystanders.count)
    for (const client of clients) client.reset()
  })
})

test('second requests, whose head comes a byte at a time: ended after handshakeTimeoutMs', async () => {
  await bystanders.during(bound, async () => {
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
  await bystanders.during(bound, async () => {
    const clients = await many(ATTACKERS, served)
    for (const client of clients) {
      await client.ended()
      client.end()
    }
  })
  expect(performance.now() - start).toBeLessThan(20_000)
})

test('requests in a row, hundreds in a segment, whose responses nobody reads', async () => {
  const before = (await server.stats()).total.socketsTotal
  const attackers = 20
  const requests = Buffer.from(GET.repeat(200))
  await bystanders.during(bound, async () => {
    const end = performance.now() + 1500
    await many(attackers, async () => {
      const client = await WireClient.connect(server.port)
      client.socket.pause()
      await pour(client, () => requests, end)
      client.reset()
    })
  })
  expect((await server.stats()).total.socketsTotal).toBe(before + attackers + 1)
})

test('requests in a row, hundreds in a segment, whose responses are read', async () => {
  const requests = Buffer.from(GET.repeat(200))
  await bystanders.during(bound, async () => {
    const end = performance.now() + 1500
    await many(20, async () => {
      const client = await WireClient.connect(server.port, true)
      client.socket.removeAllListeners('data').resume()
      await pour(client, () => requests, end)
      await until('an answer', () => client.socket.bytesRead > 0)
      client.reset()
    })
  })
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
  const before = (await server.stats()).refused.maxConnections
  await bystanders.during(memoryBound(OPTIONS, OPTIONS.maxConnections), async () => {
    const room = OPTIONS.maxConnections - bystanders.count
    const clients = await openMany(server.port, room)
    await many(300, async () => {
      const client = await WireClient.connect(server.port)
      await client.ended()
      client.reset()
    })
    expect(await clients[0]?.ask('still here')).toBe('still here')
    for (const client of clients) client.reset()
  })
  expect((await server.stats()).refused.maxConnections).toBe(before + 300)
})
