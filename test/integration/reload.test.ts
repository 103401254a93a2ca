// server.reload(): which code answers whom, and what is left.
import { once } from 'node:events'
import { Agent } from 'node:http'
import { describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { handoffWays } from '../support/handoff-ways.js'
import { parseMetrics, type Samples } from '../support/metrics.js'
import type { ReloadableApp } from '../support/reloadable-app.js'
import {
  app,
  closeCode,
  codeOf,
  codesOf,
  connect,
  connectMany,
  descriptors,
  drained,
  fetchText,
  portOf,
  setUpReloads,
  shardErrors,
  start,
  threads,
} from '../support/reloads.js'
import { soon, until } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

setUpReloads()

describe.each(handoffWays)('handing over by $way', ({ way, options: where }) => {
  describe('a reload', where, () => {
    test('gives new connections the new code, also of modules that the application imports', async () => {
      const running = await start({}, way)
      const reloads: number[] = []
      running.on('reload', generation => reloads.push(generation))
      const old = await connectMany(running, 4)
      expect(await codesOf(old)).toEqual(old.map(() => 'a0'))

      app.write('b')
      await running.reload()
      const fresh = await connectMany(running, 4)
      expect(await codesOf(fresh)).toEqual(fresh.map(() => 'b1'))
      expect(await codesOf(old)).toEqual(old.map(() => 'a0'))
      expect(reloads).toEqual([1])
      expect(running.stats()).toMatchObject({
        reloads: 1,
        admitted: 8,
        draining: { shards: 2, sockets: 4 },
        total: { connections: 8, connectionsTotal: 8, messagesIn: 12 },
        shards: [
          { state: 'ready', connections: 4, restarts: 0 },
          { state: 'ready', connections: 4, restarts: 0 },
        ],
      })

      // They end with their last connection, long before reloadDrainMs is over.
      for (const client of old) client.close()
      await drained(running)
      expect(app.journal().slice(4)).toEqual(['stop a', 'stop a'])
      expect(running.stats()).toMatchObject({ admitted: 4, total: { connections: 4, messagesIn: 12 } })
      expect(await codesOf(fresh)).toEqual(fresh.map(() => 'b1'))
    })

    test('loses nobody who comes meanwhile', async () => {
      const running = await start({}, way)
      const old = await connectMany(running, 20)
      const visits = { over: false }
      const seen = new Set<string>()
      const failures: unknown[] = []
      const loop = async (visit: () => Promise<string>): Promise<void> => {
        while (!visits.over) {
          try {
            seen.add(await visit())
          } catch (error) {
            failures.push(error)
          }
        }
      }
      const visitors = [
        ...Array.from({ length: 8 }, () =>
          loop(async () => {
            const client = new WebSocket(`ws://127.0.0.1:${portOf(running)}`)
            await once(client, 'open')
            const code = await codeOf(client)
            client.close()
            const [closed] = (await once(client, 'close')) as [number]
            if (closed !== 1005 && closed !== 1000) throw new Error(`closed with ${closed}`)
            return code
          }),
        ),
        ...Array.from({ length: 4 }, () =>
          loop(async () => {
            const { status, text } = await fetchText(portOf(running))
            if (status !== 200) throw new Error(`${status}`)
            return `http ${text}`
          }),
        ),
        ...old.map(client =>
          loop(async () => {
            const code = await codeOf(client)
            if (code !== 'a0') throw new Error(`${code} answers who came before`)
            return code
          }),
        ),
      ]
      await until('visitors are served', () => seen.has('http a'))
      app.write('b')
      await running.reload()
      await until('visitors get the new code', () => seen.has('b1') && seen.has('http b'))
      app.write('c')
      await running.reload()
      await until('visitors get the newest code', () => seen.has('c2') && seen.has('http c'))
      visits.over = true
      await Promise.all(visitors)
      expect(failures).toEqual([])
      const { refused } = running.stats()
      expect(refused).toEqual({
        maxConnections: 0,
        maxConnectionsPerIp: 0,
        maxHandshakes: 0,
        maxHandshakeRatePerIp: 0,
        noShard: 0,
        handoff: 0,
      })
    })

    test('has those served who are on their way to an old shard', async () => {
      const running = await start({ workers: 1 }, way)
      const busy = await connect(running)
      busy.send('block')
      await until('it is blocked', () => app.journal().includes('blocked'))
      const late = await Promise.all(Array.from({ length: 20 }, () => WireClient.connect(portOf(running))))
      for (const client of late) client.send(openingRequest())
      await until('all are handed over', () => running.stats().accepted === 21)
      app.write('b')
      await running.reload()
      expect(running.stats().shards[0].inFlight).toBe(20)
      app.go()
      await Promise.all(late.map(client => client.handshake()))
      const answers = await Promise.all(late.map(client => client.ask('?')))
      expect(answers).toEqual(answers.map(() => 'a 0 0 ?'))
      for (const client of late) client.end()
      busy.close()
      await drained(running)
      expect(running.stats()).toMatchObject({ admitted: 0, total: { sockets: 0, socketsTotal: 21 } })
    })

    test.each<[Parameters<ReloadableApp['write']>[1], string, RegExp]>([
      ['no-syntax', 'ERR_SHARD_APP', /failed to start in shard \d: /],
      ['throw', 'ERR_SHARD_APP', /failed to start in shard \d: the new code is broken/],
      ['fail in shard 1', 'ERR_SHARD_APP', /failed to start in shard 1: the new code does not start/],
      ['hang', 'ERR_SHARD_START_TIMEOUT', /not ready after 1500 ms/],
    ])('that fails (%s) changes nothing and leaves nothing', async (mode, code, message) => {
      const running = await start({ startTimeoutMs: mode === 'hang' ? 1500 : 30_000 }, way)
      const errors = shardErrors(running)
      const old = await connectMany(running, 4)
      app.write('worse', mode)
      const fail = async (): Promise<void> => {
        const failure = await running.reload().catch((error: unknown) => error)
        expect(failure).toMatchObject({ code, message: expect.stringMatching(message) as unknown })
      }
      await fail()
      expect(await codesOf(old)).toEqual(old.map(() => 'a0'))
      expect(await codeOf(await connect(running))).toBe('a0')
      expect(running.stats()).toMatchObject({
        reloads: 0,
        draining: { shards: 0 },
        total: { connections: 5 },
      })
      expect(errors).toEqual([])
      if (mode === 'fail in shard 1') {
        expect(app.journal().slice(2)).toEqual(['start worse', 'stop worse'])
      }
      // After the first, so that what is made lazily is there.
      const before = { threads: threads(), descriptors: descriptors() }
      await fail()
      await fail()
      await until('threads and descriptors are gone', () => {
        return threads() <= before.threads && descriptors() <= before.descriptors
      })
      app.write('b')
      await running.reload()
      expect(await codeOf(await connect(running))).toMatch(/^b/)
    })
  })
})

describe('calls', () => {
  test('during a reload begin after it, and share', async () => {
    const running = await start()
    app.write('b', 'wait')
    const first = running.reload()
    // Its shards load what is there now; later than that comes the next.
    await until('they have loaded it', () => app.journal().includes('start b'))
    app.write('c')
    const [second, third] = [running.reload(), running.reload()]
    app.go()
    await first
    await Promise.all([second, third])
    expect(running.stats().reloads).toBe(2)
    expect(await codeOf(await connect(running))).toBe('c2')
    await running.reload()
    expect(running.stats().reloads).toBe(3)
  })

  test('after one that failed do not fail with it', async () => {
    const running = await start()
    app.write('b', 'fail')
    const failing = running.reload().catch((error: unknown) => error)
    const next = running.reload().catch((error: unknown) => error)
    expect(await failing).toMatchObject({ message: expect.stringMatching(/does not start/) as unknown })
    app.write('c')
    await next
    await running.reload()
    expect(await codeOf(await connect(running))).toMatch(/^c/)
  })

  test('while the server closes, and after, reject', async () => {
    const running = await start()
    const closing = running.close()
    await expect(running.reload()).rejects.toMatchObject({ code: 'ERR_RELOAD' })
    await closing
    await expect(running.reload()).rejects.toMatchObject({ code: 'ERR_RELOAD' })
  })

  test.each(['ok', 'hang'] as const)('of close during a reload (%s) end both', async mode => {
    const running = await start()
    const client = await connect(running)
    const before = threads()
    app.write('b', mode)
    const reload = running.reload().catch((error: unknown) => error)
    await until('the new threads are there', () => threads() > before)
    const [code, , failure] = await Promise.all([closeCode(client), running.close(), reload])
    expect(code).toBe(1001)
    expect(failure).toMatchObject({ code: 'ERR_RELOAD' })
    expect(running.stats()).toMatchObject({ reloads: 0, total: { sockets: 0 } })
    await until('no shard is left', () => threads() < before)
  })

  test('of close while old shards drain close those, too', async () => {
    const running = await start()
    const old = await connectMany(running, 4)
    await running.reload()
    const fresh = await connectMany(running, 2)
    const codes = Promise.all([...old, ...fresh].map(closeCode))
    await running.close()
    expect(await codes).toEqual([1001, 1001, 1001, 1001, 1001, 1001])
    expect(running.stats()).toMatchObject({ admitted: 0, draining: { shards: 0 }, total: { sockets: 0 } })
  })

  test('of close while the old ones are being closed slowly do not wait for that', async () => {
    const running = await start({ reloadDrainMs: 0, closeSpreadMs: 60_000 })
    const old = await connectMany(running, 10)
    await running.reload()
    await until('it has begun', () => running.stats().draining.shards > 0)
    const codes = Promise.all(old.map(closeCode))
    await soon('the end', running.close({ spreadMs: 0 }))
    for (const code of await codes) expect([1001, 1012]).toContain(code)
  })

  test('where the one shard runs in the main thread say why not', async () => {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const running = await start({ adminPort: 0 }, 'local')
    await expect(running.reload()).rejects.toMatchObject({
      code: 'ERR_RELOAD',
      message: expect.stringContaining('main thread: restart the process') as unknown,
    })
    expect(await codeOf(await connect(running))).toBe('a0')
    const { text } = await fetchText(running.adminAddress()?.port as number, '/metrics')
    expect(parseMetrics(text).get('shardws_reloads_total{result="failed"}')).toBe(1)
  })
})

test('a new shard that crashes is replaced by one with the new code', async () => {
  const running = await start({ workers: 1 })
  const errors = shardErrors(running)
  const old = await connect(running)
  app.write('b')
  await running.reload()
  const victim = await connect(running)
  victim.send('crash')
  await closeCode(victim)
  await until('it is replaced', () => running.stats().shards[0].restarts === 1)
  await until('it is ready', () => running.stats().shards[0].state === 'ready')
  expect(errors).toEqual([['ERR_SHARD_CRASHED', 0]])
  expect(await codesOf([await connect(running), old])).toEqual(['b1', 'a0'])
})

test('what is counted never falls, whichever shard is asked', async () => {
  const running = await start({ metricsPath: '/metrics', adminPort: 0, reloadDrainMs: 1500 })
  const admin = running.adminAddress()?.port as number
  const agents = [new Agent({ keepAlive: true, maxSockets: 1 })]
  let last: Samples = new Map()
  let worst = ''
  const look = async (): Promise<Samples> => {
    // The port of the new shards, the old ones as long as they answer, and the main thread.
    const texts = [await fetchText(portOf(running), '/metrics'), await fetchText(admin, '/metrics')]
    for (const { text } of texts) {
      const samples = parseMetrics(text)
      for (const [name, value] of last) {
        if (/_total|_bucket|_count/.test(name) && (samples.get(name) ?? -1) < value)
          worst = `${name} fell from ${value}`
      }
      if (samples.size !== last.size && last.size > 0) worst = `${samples.size} samples after ${last.size}`
      last = samples
      expect((await fetchText(admin, '/readyz')).status).toBe(200)
    }
    return last
  }
  for (let reload = 1; reload <= 3; reload++) {
    const old = await connectMany(running, 4)
    await codesOf(old)
    await look()
    await running.reload()
    expect(total(await look(), 'shardws_connections')).toBeGreaterThanOrEqual(4)
    expect(last.get('shardws_draining_shards')).toBeGreaterThanOrEqual(2)
    expect(last.get('shardws_draining_sockets')).toBeGreaterThanOrEqual(4)
    await until('they have ended', async () => {
      await look()
      return running.stats().draining.shards === 0
    })
    await look()
  }
  expect(worst).toBe('')
  expect(total(last, 'shardws_messages_received_total')).toBe(12)
  expect(total(last, 'shardws_connections_opened_total')).toBe(12)
  expect(last.get('shardws_connections_closed_total{code="1012"}')).toBe(12)
  expect(last.get('shardws_reloads_total{result="done"}')).toBe(3)
  expect(last.get('shardws_draining_shards')).toBe(0)
  expect(running.stats().total).toMatchObject({ messagesIn: 12, connectionsTotal: 12, connections: 0 })
  for (const agent of agents) agent.destroy()

  function total(samples: Samples, name: string): number {
    return [0, 1].reduce((sum, shard) => sum + (samples.get(`${name}{shard="${shard}"}`) ?? Number.NaN), 0)
  }
})

test('the log and the diagnostics channel tell of it', async () => {
  const { subscribe, unsubscribe } = await import('node:diagnostics_channel')
  const told: unknown[] = []
  const hear = (message: unknown): void => void told.push(message)
  subscribe('shardws:server:reload', hear)
  const lines: Record<string, unknown>[] = []
  const take = (facts: object, msg: string): void => void lines.push({ ...facts, msg })
  const logger = { debug: take, info: take, warn: take, error: take }
  const running = await start({ workers: 1, logLevel: 'info', logger })
  await running.reload()
  await until('it is told', () => lines.some(({ event }) => event === 'reload.drained'))
  app.write('b', 'throw')
  await expect(running.reload()).rejects.toThrow(/broken/)
  unsubscribe('shardws:server:reload', hear)
  expect(lines).toMatchObject([
    { event: 'server.listening' },
    { event: 'reload.done', generation: 1 },
    { event: 'reload.drained', generation: 0 },
    { event: 'reload.failed', fault: 'ERR_SHARD_APP', err: { message: 'the new code is broken' } },
  ])
  expect(told).toMatchObject([{ generation: 1 }, { error: { code: 'ERR_SHARD_APP' } }])
})
