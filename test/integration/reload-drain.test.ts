import { Agent } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { MAX_DRAINING } from '../../src/primary/generations.js'
import { parseMetrics } from '../support/metrics.js'
import {
  app,
  closeCode,
  codesOf,
  connect,
  connectMany,
  drained,
  fetchText,
  portOf,
  setUpReloads,
  shardErrors,
  start,
} from '../support/reloads.js'
import { until } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

setUpReloads()

describe('connections from before', () => {
  test('get 1012 when the time to drain is over, spread over closeSpreadMs', async () => {
    const running = await start({ reloadDrainMs: 300, closeSpreadMs: 1000 })
    const old = await connectMany(running, 40)
    const begin = performance.now()
    await running.reload()
    const ends = await Promise.all(
      old.map(async client => ({ code: await closeCode(client), ms: performance.now() - begin })),
    )
    expect(new Set(ends.map(({ code }) => code))).toEqual(new Set([1012]))
    const times = ends.map(({ ms }) => ms).toSorted((one, other) => one - other)
    expect(times[0]).toBeGreaterThanOrEqual(290)
    expect((times.at(-1) as number) - times[0]).toBeGreaterThan(700)
    await drained(running)
    expect(running.stats()).toMatchObject({ admitted: 0, total: { connections: 0, connectionsTotal: 40 } })
  })

  test('that have not asked yet when the time to drain is over are answered before they get it', async () => {
    const running = await start({ workers: 1, reloadDrainMs: 0 })
    const silent = await WireClient.connect(portOf(running))
    const witness = await connect(running)
    const told = closeCode(witness)
    await until('both are there', () => running.stats().total.sockets === 2)
    await running.reload()
    expect(await told).toBe(1012)
    silent.send(openingRequest())
    await silent.handshake()
    expect(await silent.closing()).toMatchObject({ code: 1012 })
    silent.end()
    await drained(running)
  })

  test('that do not answer are cut after stopTimeoutMs', async () => {
    const running = await start({ reloadDrainMs: 50, stopTimeoutMs: 300 })
    const deaf = await WireClient.connect(portOf(running))
    deaf.send(openingRequest())
    await deaf.handshake()
    deaf.socket.pause()
    await running.reload()
    await drained(running)
    expect(running.stats().total.connections).toBe(0)
    deaf.end()
  })

  test('over HTTP end when they are idle, and with their next answer', async () => {
    const running = await start({ workers: 1 })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect(await fetchText(portOf(running), '/', agent)).toMatchObject({
      text: 'a',
      connection: 'keep-alive',
    })
    // A request under way: all but its last line.
    const halfway = await WireClient.connect(portOf(running))
    halfway.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await halfway.response()
    halfway.send('GET / HTTP/1.1\r\nHost: x\r\n')
    const idle = await WireClient.connect(portOf(running))
    idle.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await idle.response()
    await until('all are there', () => running.stats().total.sockets === 3)

    app.write('b')
    await running.reload()
    // It is the connection from before, and its last answer.
    expect(await fetchText(portOf(running), '/', agent)).toMatchObject({ text: 'a', connection: 'close' })
    expect(await fetchText(portOf(running), '/', agent)).toMatchObject({
      text: 'b',
      connection: 'keep-alive',
    })
    await until('its first connection has ended', () => running.stats().draining.sockets === 2)
    halfway.send('\r\n')
    const { headers, body } = await halfway.response()
    expect({ connection: headers.connection, body }).toEqual({ connection: 'close', body: 'a' })
    halfway.end()
    // Nobody has to ask once more: it ends with its keep-alive time.
    await idle.ended()
    idle.end()
    await drained(running)
    agent.destroy()
  })

  test('of a shard that crashes are lost, and it is not replaced', async () => {
    const running = await start({ adminPort: 0 })
    const errors = shardErrors(running)
    const old = await connectMany(running, 4)
    app.write('b')
    await running.reload()
    const fresh = await connectMany(running, 2)
    old[0].send('crash')
    await Promise.all([closeCode(old[0]), closeCode(old[2])])
    await until('it is known', () => errors.length === 1)
    expect(errors).toEqual([['ERR_SHARD_CRASHED', 0]])
    expect(running.stats()).toMatchObject({
      admitted: 4,
      draining: { shards: 1, sockets: 2 },
      total: { connections: 4 },
      shards: [{ restarts: 0 }, { restarts: 0 }],
    })
    const { text } = await fetchText(running.adminAddress()?.port as number, '/metrics')
    const samples = parseMetrics(text)
    expect(samples.get('shardws_shard_crashes_total{shard="0"}')).toBe(1)
    expect(samples.get('shardws_connections_closed_total{code="1006"}')).toBe(2)
    expect(await codesOf([old[1], old[3], ...fresh])).toEqual(['a0', 'a0', 'b1', 'b1'])
    old[1].close()
    old[3].close()
    await drained(running)
    // Two shards of either generation, and none in its place.
    expect(app.journal().filter(line => line.startsWith('start'))).toHaveLength(4)
    expect(running.stats().shards).toMatchObject([{ restarts: 0 }, { restarts: 0 }])
  })

  test(`of more than ${MAX_DRAINING} generations are closed, those of the oldest first`, async () => {
    const running = await start()
    const cohorts: WebSocket[][] = []
    for (let generation = 0; generation <= MAX_DRAINING; generation++) {
      cohorts.push(await connectMany(running, 2))
      if (generation < MAX_DRAINING) await running.reload()
    }
    const [oldest, ...others] = cohorts
    expect(await codesOf(cohorts.flat())).toEqual(['a0', 'a0', 'a1', 'a1', 'a2', 'a2'])
    const codes = oldest.map(closeCode)
    await running.reload()
    expect(await Promise.all(codes)).toEqual([1012, 1012])
    expect(await codesOf(others.flat())).toEqual(['a1', 'a1', 'a2', 'a2'])
    await until('they have ended', () => running.stats().draining.shards === 2 * MAX_DRAINING)
  })

  test('of which the oldest can not be closed yet have the next reload wait', async () => {
    const running = await start({ stopTimeoutMs: 1000, closeTimeoutMs: 60_000 })
    const deaf = await WireClient.connect(portOf(running))
    deaf.send(openingRequest())
    await deaf.handshake()
    deaf.socket.pause()
    for (let reload = 0; reload < MAX_DRAINING; reload++) {
      await running.reload()
      await connect(running)
    }
    const begin = performance.now()
    await running.reload()
    await running.reload()
    expect(performance.now() - begin).toBeGreaterThan(900)
    expect(running.stats().draining.shards).toBeLessThanOrEqual(2 * (MAX_DRAINING + 1))
    deaf.end()
  })
})
