// What the metrics say is what the clients did.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { ServeOptions, Server } from '../../src/index.js'
import { counterparts, promtool } from '../counterparts.js'
import { needs } from '../needs.js'
import { compressed, deflateMessage } from '../support/compressed-frames.js'
import { CLOSE, frame } from '../support/frames.js'
import { parseMetrics, type Samples, total } from '../support/metrics.js'
import { soon, until } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

const { serve } = (await import(
  new URL('../../dist/index.js', import.meta.url).href
)) as typeof import('../../src/index.js')

const app = fileURLToPath(new URL('../fixtures/test-app.mjs', import.meta.url))
const WORKERS = 2

let server: Server

afterEach(() => server?.close({ timeoutMs: 0 }))

async function start(options: ServeOptions = {}): Promise<{ port: number; adminPort: number }> {
  server = await serve({
    app,
    port: 0,
    host: '127.0.0.1',
    adminPort: 0,
    metricsPath: '/metrics',
    workers: WORKERS,
    logLevel: 'silent',
    ...options,
  })
  return {
    port: (server.address() as AddressInfo).port,
    adminPort: (server.adminAddress() as AddressInfo).port,
  }
}

async function fetchText(
  port: number,
  path: string,
): Promise<{ status: number; body: string; type: string }> {
  const request = get({ port, host: '127.0.0.1', path, agent: false })
  const [response] = (await soon(`an answer to ${path}`, once(request, 'response'))) as [IncomingMessage]
  return {
    status: response.statusCode ?? 0,
    body: await text(response),
    type: response.headers['content-type'] ?? '',
  }
}

async function scrape(port: number): Promise<Samples> {
  const { status, body, type } = await fetchText(port, '/metrics')
  expect({ status, type }).toEqual({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' })
  return parseMetrics(body)
}

/** Scrapes until the server has nothing left of the clients. */
function scrapeWhenEmpty(port: number): Promise<Samples> {
  return until('the shards hold no socket', async () => {
    const samples = await scrape(port)
    return total(samples, 'shardws_sockets') === 0 ? samples : undefined
  })
}

async function closeWith(client: WireClient, code: number): Promise<void> {
  client.send(frame(CLOSE, Buffer.from([code >> 8, code & 255])))
  await soon('the answer to Close', client.ended())
  client.end()
}

test('they agree with what the clients did, exactly', async () => {
  const { adminPort, port } = await start({ maxConnections: 12 })
  expect(total(await scrape(adminPort), 'shardws_sockets_adopted_total')).toBe(0)
  const clients = await Promise.all(Array.from({ length: 10 }, () => WireClient.open(port)))
  for (const [index, client] of clients.entries()) {
    for (let message = 0; message <= index; message++) {
      const sent = `message ${message} of ${index}`
      expect(await client.ask(sent)).toBe(sent)
    }
  }
  const open = await scrape(adminPort)
  expect([0, 1].map(shard => open.get(`shardws_connections{shard="${shard}"}`))).toEqual([5, 5])

  // Two more fit in, and others do not.
  const bad = [await WireClient.connect(port), await WireClient.connect(port)]
  await until('they are there', async () => total(await scrape(adminPort), 'shardws_sockets') === 12)
  const outsiders = [await WireClient.connect(port), await WireClient.connect(port)]
  for (const outsider of outsiders) await soon('the end', outsider.ended())
  bad[0].send(openingRequest('/?status=403'))
  bad[1].send(openingRequest('/', ['Sec-WebSocket-Key: short']))
  for (const client of bad) {
    expect([403, 400]).toContain((await client.response()).status)
    await soon('the end', client.ended())
    client.end()
  }

  const codes = [1000, 1000, 1001, 3000, 3999, 4000]
  for (const [index, code] of codes.entries()) await closeWith(clients[index], code)
  // A violation: it is not masked. Then ends without a Close frame, of either side.
  clients[6].send(Buffer.from([0x81, 0x01, 0x41]))
  await soon('the end', clients[6].ended())
  clients[6].end()
  clients[7].socket.resetAndDestroy()
  clients[8].sendText('!terminate')
  await soon('the end', clients[8].ended())
  clients[8].end()
  clients[9].sendText('!close 4321 enough')
  expect((await clients[9].frame()).opcode).toBe(CLOSE)
  await closeWith(clients[9], 4321)

  const samples = await scrapeWhenEmpty(adminPort)
  const value = (key: string): number | undefined => samples.get(key)
  const echoes = (10 * 11) / 2
  expect({
    accepted: value('shardws_connections_accepted_total'),
    refused: value('shardws_connections_refused_total{reason="max_connections"}'),
    adopted: total(samples, 'shardws_sockets_adopted_total'),
    handedOff: value('shardws_handoff_seconds_count'),
    opened: total(samples, 'shardws_connections_opened_total'),
    open: total(samples, 'shardws_connections'),
    received: total(samples, 'shardws_messages_received_total'),
    sent: total(samples, 'shardws_messages_sent_total'),
    dropped: total(samples, 'shardws_messages_dropped_total'),
    application: value('shardws_handshakes_refused_total{reason="application"}'),
    key: value('shardws_handshakes_refused_total{reason="key"}'),
    handshakes: total(samples, 'shardws_handshakes_refused_total'),
    queue: total(samples, 'shardws_send_queue_bytes'),
    crashes: total(samples, 'shardws_shard_crashes_total'),
  }).toEqual({
    accepted: 14,
    refused: 2,
    adopted: 12,
    handedOff: 12,
    opened: 10,
    open: 0,
    received: echoes + 2,
    sent: echoes,
    dropped: 0,
    application: 1,
    key: 1,
    handshakes: 2,
    queue: 0,
    crashes: 0,
  })
  const closes = [...samples].filter(
    ([key, count]) => key.startsWith('shardws_connections_closed') && count > 0,
  )
  expect(Object.fromEntries(closes.map(([key, count]) => [/"(.*)"/.exec(key)?.[1], count]))).toEqual({
    '1000': 2,
    '1001': 1,
    '1002': 1,
    '1006': 2,
    '3xxx': 2,
    '4xxx': 2,
  })
  const all = [...clients, ...bad]
  const bytes = (count: (client: WireClient) => number) => all.reduce((sum, client) => sum + count(client), 0)
  expect(total(samples, 'shardws_received_bytes_total')).toBe(bytes(client => client.socket.bytesWritten))
  expect(total(samples, 'shardws_sent_bytes_total')).toBe(bytes(client => client.received))
})

test('any shard answers with the counters of all, and goes on counting where another crashed', async () => {
  const { adminPort, port } = await start()
  const clients = await Promise.all(Array.from({ length: 6 }, () => WireClient.open(port)))
  const shards = await Promise.all(clients.map(client => client.ask('!shard')))
  const victims = clients.filter((_, index) => shards[index] === '0')
  const before = await scrape(port)
  victims[0].sendText('!crash')
  for (const victim of victims) await soon('the end', victim.ended())
  const after = await until('the shard is back', async () => {
    const samples = await scrape(adminPort)
    return samples.get('shardws_shard_restarts_total{shard="0"}') === 1 &&
      samples.get('shardws_shard_ready{shard="0"}') === 1
      ? samples
      : undefined
  })
  expect(after.get('shardws_shard_crashes_total{shard="0"}')).toBe(1)
  expect(total(after, 'shardws_shard_crashes_total')).toBe(1)
  expect(after.get('shardws_connections_closed_total{code="1006"}')).toBe(victims.length)
  expect(total(after, 'shardws_connections')).toBe(clients.length - victims.length)
  const counters = [...before.keys()].filter(key => /_(?:total|bucket|sum|count)\b/.test(key))
  expect(counters.filter(key => (after.get(key) ?? 0) < (before.get(key) ?? 0))).toEqual([])

  // The new shard goes on, and answers for the other as well.
  const more = await Promise.all(Array.from({ length: 4 }, () => WireClient.open(port)))
  for (const client of more) await client.ask('hello')
  for (let request = 0; request < 4; request++) {
    const samples = await scrape(port)
    expect(total(samples, 'shardws_connections_opened_total')).toBe(10)
    expect(total(samples, 'shardws_messages_sent_total')).toBe(6 + 4)
  }
  for (const client of [...clients, ...more]) client.socket.destroy()
})

test('what waits for a client that does not read is in the queue, until it is taken or lost', async () => {
  const { adminPort, port } = await start({ maxBackpressure: 50_000_000 })
  const queued = async () => total(await scrape(adminPort), 'shardws_send_queue_bytes')
  const [reader, leaver] = await Promise.all([WireClient.open(port), WireClient.open(port)])
  for (const client of [reader, leaver]) {
    client.socket.pause()
    client.sendText('!flood 200 100000')
  }
  const most = 200 * 100_010
  await until('bytes wait for both', async () => (await queued()) > most * 1.2)
  expect(await queued()).toBeLessThan(2 * most)
  leaver.reset()
  await until('those of the one that left are gone', async () => (await queued()) <= most)
  expect(await queued()).toBeGreaterThan(0)
  reader.socket.resume()
  await until('nothing waits', async () => (await queued()) === 0)
  reader.socket.destroy()
})

test('compression: what it was given, what came of it, and the streams that there are', async () => {
  const { adminPort, port } = await start({ workers: 1, perMessageDeflate: { threshold: 100 } })
  const client = await WireClient.connect(port)
  client.send(openingRequest('/', ['Sec-WebSocket-Extensions: permessage-deflate']))
  await client.handshake()
  const other = await WireClient.open(port)
  await other.ask('x'.repeat(200))
  const message = 'what is said again and again, '.repeat(100)
  const payload = deflateMessage(message)
  const before = client.received
  client.send(compressed(payload))
  await until('the answer', () => client.received > before)
  const samples = await until('a stream of each kind is there', async () => {
    const seen = await scrape(adminPort)
    return total(seen, 'shardws_zlib_streams') === 2 ? seen : undefined
  })
  const names = [
    'compressing_connections',
    'deflated_messages',
    'deflate_input_bytes',
    'inflated_messages',
    'inflate_input_bytes',
    'inflate_output_bytes',
    'inflate_postponed',
  ]
  expect(names.map(name => total(samples, `shardws_${name}_total`))).toEqual([
    1,
    1,
    message.length,
    1,
    payload.length,
    message.length,
    0,
  ])
  // A frame of at most 125 bytes has a header of two.
  expect(total(samples, 'shardws_deflate_output_bytes_total')).toBe(client.received - before - 2)
  for (const { socket } of [client, other]) socket.destroy()
})

test('event-loop delay, heap and the round trip of Pings are measured', async () => {
  const { adminPort, port } = await start({ idlePingMs: 50 })
  const client = new WebSocket(`ws://127.0.0.1:${port}`)
  await once(client, 'open')
  const samples = await until('a Ping is answered', async () => {
    const seen = await scrape(adminPort)
    return (seen.get('shardws_ping_round_trip_seconds_count') ?? 0) >= 2 ? seen : undefined
  })
  const seconds = samples.get('shardws_ping_round_trip_seconds_sum')
  expect(seconds).toBeGreaterThan(0)
  expect(seconds).toBeLessThan(5)
  for (let shard = 0; shard < WORKERS; shard++) {
    expect(samples.get(`shardws_heap_used_bytes{shard="${shard}"}`)).toBeGreaterThan(1e6)
    expect(samples.get(`shardws_heap_limit_bytes{shard="${shard}"}`)).toBeGreaterThan(1e7)
    expect(samples.get(`shardws_event_loop_delay_max_seconds{shard="${shard}"}`)).toBeLessThan(60)
  }
  const blocked = await WireClient.open(port)
  const shard = await blocked.ask('!shard')
  blocked.sendText('!block 300')
  await until('the delay is seen', async () => {
    const delay = (await scrape(adminPort)).get(`shardws_event_loop_delay_max_seconds{shard="${shard}"}`)
    return (delay ?? 0) > 0.2
  })
  blocked.socket.destroy()
  client.terminate()
})

test('the probes follow the server to its end', async () => {
  const { adminPort, port } = await start()
  for (const at of [port, adminPort]) {
    expect(await fetchText(at, '/readyz')).toMatchObject({ status: 200, body: 'ready\n' })
  }
  expect(await fetchText(adminPort, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' })
  expect(await fetchText(adminPort, '/else')).toMatchObject({ status: 404 })

  const client = await WireClient.open(port)
  const closed = server.close()
  expect(await fetchText(adminPort, '/readyz')).toMatchObject({ status: 503, body: 'the server stops\n' })
  expect(await fetchText(adminPort, '/healthz')).toMatchObject({ status: 200 })
  expect((await scrape(adminPort)).get('shardws_ready')).toBe(0)
  expect((await client.frame()).opcode).toBe(CLOSE)
  await closeWith(client, 1001)
  await soon('the end', closed)
  expect(server.adminAddress()).toBeNull()
  await expect(fetchText(adminPort, '/healthz')).rejects.toThrow('ECONNREFUSED')
})

test('a stop that is spread closes a like share in each part of its time, and serves the others', async () => {
  const { adminPort, port } = await start()
  const clients: WireClient[] = []
  for (let client = 0; client < 40; client++) clients.push(await WireClient.open(port))
  const begin = performance.now()
  const ends = Promise.all(
    clients.map(async client => {
      let answers = 0
      let next = await client.frame()
      for (; next.opcode !== CLOSE; next = await client.frame()) answers++
      const ms = performance.now() - begin
      await closeWith(client, 1001)
      return { code: next.payload.readUInt16BE(0), answers, ms }
    }),
  )
  const closed = server.close({ spreadMs: 1000 })
  expect((await fetchText(adminPort, '/readyz')).status).toBe(503)
  await until('some are closed', async () => total(await scrape(adminPort), 'shardws_connections') < 35)
  const last = clients.at(-1) as WireClient
  // The answer comes before the Close frame.
  last.sendText('served')
  const seen = await ends
  await soon('the end', closed)
  expect(seen.map(({ answers }) => answers)).toEqual([...Array.from({ length: 39 }, () => 0), 1])
  expect(new Set(seen.map(({ code }) => code))).toEqual(new Set([1001]))
  const times = seen.map(({ ms }) => ms).toSorted((a, b) => a - b)
  expect(times[39]).toBeGreaterThan(950)
  expect(times[19]).toBeGreaterThan(350)
  expect(times[39] - times[0]).toBeGreaterThan(700)
})

test('the admin port takes 100 connections at a time', async () => {
  const { adminPort } = await start()
  const idlers: WireClient[] = []
  for (let idler = 0; idler < 100; idler++) idlers.push(await WireClient.connect(adminPort))
  const another = await WireClient.connect(adminPort)
  await soon('the end', another.ended())
  expect(idlers.map(idler => idler.ending)).toEqual(idlers.map(() => undefined))
  idlers[0].reset()
  await until('there is room again', () => fetchText(adminPort, '/healthz').then(Boolean, () => false))
  for (const idler of idlers) idler.socket.destroy()
})

test('an admin port that is in use rejects', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port: adminPort } = other.address() as AddressInfo
  const failure = await serve({ port: 0, adminPort }).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'ERR_LISTEN' })
  expect((failure as Error).message).toMatch(/in use already.*\(adminPort, adminHost\)$/)
  other.close()
})

test('promtool has nothing against them', needs(promtool(), counterparts.promtool.reason), async () => {
  const { adminPort } = await start()
  const { body } = await fetchText(adminPort, '/metrics')
  const { status, stdout, stderr } = spawnSync(promtool() as string, ['check', 'metrics'], {
    input: body,
    encoding: 'utf8',
    timeout: 20_000,
  })
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
})
