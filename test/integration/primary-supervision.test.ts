import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ShardError } from '../../src/errors.js'
import { findHandoff, type HandoffWay } from '../../src/primary/handoff.js'
import { Server, type ServerParts } from '../../src/primary/server.js'
import { resolveOptions, type ServeOptions } from '../../src/serve-options.js'
import { RawClient } from '../raw-client.js'

const workerFile = fileURLToPath(new URL('../fixtures/raw-shard.mjs', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'shardws-'))
const WAIT = { timeout: 10_000, interval: 5 }
const FAST_BACKOFF = { firstMs: 10, maxMs: 80, healthyMs: 60_000 }

const ways: HandoffWay[] = []
for (const way of ['transfer', 'descriptor'] as const) {
  try {
    await findHandoff(way)
    ways.push(way)
  } catch {
    // This Node has the other one.
  }
}

let server: Server | undefined

afterEach(async () => {
  await server?.close({ timeoutMs: 0 })
  server = undefined
})

/** How the next shards start: see the fixture. */
function setMode(mode: string): string {
  const path = join(directory, 'mode')
  writeFileSync(path, mode)
  return path
}

async function start(options: ServeOptions = {}, parts: ServerParts = {}): Promise<Server> {
  server = await Server.start(
    resolveOptions({
      port: 0,
      host: '127.0.0.1',
      workers: 2,
      logLevel: 'silent',
      ...options,
      app: options.app ?? setMode('ok'),
    }),
    { workerFile, backoff: FAST_BACKOFF, ...parts },
  )
  return server
}

function connect(to: Server, from?: string): Promise<RawClient> {
  return RawClient.connect(to.address()?.port as number, '127.0.0.1', from)
}

async function shardOf(client: RawClient): Promise<number> {
  return Number((await client.ask('?', ':')).split(':')[0])
}

/** A client of each shard, by index. */
async function clientOfEach(to: Server): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (const _ of to.stats().shards) {
    const client = await connect(to)
    clients[await shardOf(client)] = client
  }
  return clients
}

function shardErrors(of: Server): [ShardError, number][] {
  const errors: [ShardError, number][] = []
  of.on('shardError', (error, index) => errors.push([error, index]))
  return errors
}

function allReady(of: Server): Promise<void> {
  return vi.waitFor(() => {
    expect(of.stats().shards.map(shard => shard.state)).toEqual(of.stats().shards.map(() => 'ready'))
  }, WAIT)
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

describe.each(ways)('handing over by %s', handoff => {
  it('spreads connections evenly and brings their bytes', async () => {
    const running = await start({ workers: 3 }, { handoff })
    const clients = await Promise.all(Array.from({ length: 60 }, () => connect(running)))
    const answers = await Promise.all(clients.map((client, index) => client.ask(`hello ${index}.`)))
    expect(answers).toEqual(clients.map((_, index) => `hello ${index}.`))
    const { accepted, admitted, shards, total } = running.stats()
    expect({ accepted, admitted, sockets: total.sockets }).toEqual({
      accepted: 60,
      admitted: 60,
      sockets: 60,
    })
    expect(shards.map(shard => shard.sockets)).toEqual([20, 20, 20])
    await Promise.all(clients.map(client => client.end()))
    await vi.waitFor(() => expect(running.stats().admitted).toBe(0), WAIT)
  })

  it.each([
    ['crash', 'ERR_SHARD_CRASHED', /shard \d crashed: crashed on demand/],
    ['exit', 'ERR_SHARD_EXITED', /shard \d called process\.exit\(3\)/],
    ['oom', 'ERR_SHARD_OUT_OF_MEMORY', /shard \d ran out of memory/],
  ])('replaces a shard after %s; only its own connections are lost', async (command, code, message) => {
    const running = await start({ resourceLimits: { maxOldGenerationSizeMb: 24 } }, { handoff })
    const errors = shardErrors(running)
    const [victim, witness] = (await clientOfEach(running)) as [RawClient, RawClient]
    victim.send(command)
    await victim.closed
    await vi.waitFor(() => expect(errors.length).toBe(1), WAIT)
    const [error, index] = errors[0]
    expect(error).toBeInstanceOf(ShardError)
    expect({ code: error.code, index }).toEqual({ code, index: 0 })
    expect(error.message).toMatch(message)

    expect(await witness.ask('still here')).toContain('still here')
    await allReady(running)
    expect(running.stats().shards.map(shard => shard.restarts)).toEqual([1, 0])
    const [fresh] = await clientOfEach(running)
    expect(await fresh?.ask('replaced')).toContain('replaced')
  })

  it('survives ten crashes in a row', async () => {
    const running = await start({ workers: 1 }, { handoff })
    const errors = shardErrors(running)
    for (let crash = 1; crash <= 10; crash++) {
      const client = await connect(running)
      client.send(crash % 2 === 0 ? 'crash' : 'exit')
      await client.closed
      await vi.waitFor(() => expect(running.stats().shards[0]?.restarts).toBe(crash), WAIT)
      await allReady(running)
    }
    expect(errors.length).toBe(10)
    const client = await connect(running)
    expect(await client.ask('alive')).toBe('alive')
    expect(running.stats()).toMatchObject({ admitted: 1, total: { sockets: 1, socketsTotal: 11 } })
  })

  it('leaves no descriptor behind when a shard dies with hand-offs in flight', async () => {
    const running = await start({ workers: 1, startTimeoutMs: 5000 }, { handoff })
    shardErrors(running)
    // Once, so that what is opened lazily is open.
    const first = await connect(running)
    first.send('exit')
    await first.closed
    await vi.waitFor(() => expect(running.stats().shards[0]?.restarts).toBe(1), WAIT)
    await allReady(running)
    const before = descriptors()

    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(running)))
    await Promise.all(clients.map(client => client.ask('here')))
    // Busy, then dead: what comes meanwhile stays in its port.
    await clients[0]?.ask('hold', 'holding')
    const late = await Promise.all(Array.from({ length: 30 }, () => connect(running)))
    await vi.waitFor(() => expect(running.stats().shards[0]?.inFlight).toBe(30), WAIT)
    setMode('die')
    await Promise.all([...clients, ...late].map(client => client.closed))
    expect(late.map(client => client.received)).toEqual(late.map(() => ''))
    await vi.waitFor(() => expect(running.stats().shards[0]?.restarts).toBe(2), WAIT)
    await allReady(running)
    expect(running.stats().admitted).toBe(0)
    await vi.waitFor(() => expect(descriptors()).toBe(before), WAIT)
  })

  it('closes with the code, and cuts what does not end in time', async () => {
    const running = await start({}, { handoff })
    const clients = await clientOfEach(running)
    const closing = running.close({ code: 1012 })
    expect(running.address()).toBeNull()
    await Promise.all(clients.map(client => client.receive('stop 1012')))
    await Promise.all(clients.map(client => client.end()))
    await closing
    expect(running.stats().shards.map(shard => shard.state)).toEqual(['stopped', 'stopped'])
    await expect(RawClient.connect(running.address()?.port ?? 1)).rejects.toThrow('ECONNREFUSED')
  })

  it('terminates a frozen shard when the time to stop is over', async () => {
    const running = await start({}, { handoff })
    const errors = shardErrors(running)
    const [frozen] = await clientOfEach(running)
    frozen?.send('freeze')
    await running.close({ timeoutMs: 50 })
    await frozen?.closed
    expect(errors).toEqual([])
  })
})

describe('admission', () => {
  it('refuses exactly what is over maxConnections, and admits again what has ended', async () => {
    const running = await start({ maxConnections: 10 })
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect(running)))
    await Promise.all(clients.map(client => client.ask('in')))
    const over = await Promise.all(Array.from({ length: 3 }, () => connect(running)))
    await Promise.all(over.map(client => client.closed))
    expect(running.stats()).toMatchObject({ accepted: 13, admitted: 10, refused: { maxConnections: 3 } })

    await Promise.all(clients.slice(0, 4).map(client => client.end()))
    await vi.waitFor(() => expect(running.stats().admitted).toBe(6), WAIT)
    const again = await Promise.all(Array.from({ length: 4 }, () => connect(running)))
    await Promise.all(again.map(client => client.ask('in')))
    await (await connect(running)).closed
    expect(running.stats()).toMatchObject({ admitted: 10, refused: { maxConnections: 4 } })
  })

  it('gives back what a crashed shard held', async () => {
    const running = await start({ workers: 1, maxConnections: 5, maxConnectionsPerIp: 5 })
    shardErrors(running)
    for (let round = 1; round <= 3; round++) {
      const clients = await Promise.all(Array.from({ length: 5 }, () => connect(running)))
      await Promise.all(clients.map(client => client.ask('in')))
      await (await connect(running)).closed
      clients[0]?.send('crash')
      await Promise.all(clients.map(client => client.closed))
      await vi.waitFor(() => expect(running.stats().shards[0]?.restarts).toBe(round), WAIT)
      await allReady(running)
      expect(running.stats().admitted).toBe(0)
    }
    expect(running.stats().refused.maxConnections).toBe(3)
  })

  it('counts each client by itself for maxConnectionsPerIp', async () => {
    const running = await start({ maxConnectionsPerIp: 2 })
    const first = await Promise.all([connect(running, '127.0.0.1'), connect(running, '127.0.0.1')])
    await Promise.all(first.map(client => client.ask('in')))
    await (await connect(running, '127.0.0.1')).closed
    const other = await connect(running, '127.0.0.2')
    expect(await other.ask('in')).toBe('in')
    await first[0]?.end()
    await vi.waitFor(() => expect(running.stats().admitted).toBe(2), WAIT)
    expect(await (await connect(running, '127.0.0.1')).ask('in')).toBe('in')
    expect(running.stats().refused).toMatchObject({ maxConnectionsPerIp: 1, maxConnections: 0 })
  })

  it('keeps a client at its shard with client-address', async () => {
    const running = await start({ workers: 4, balance: 'client-address' })
    const shardFrom = async (from: string) => shardOf(await connect(running, from))
    const hosts = Array.from({ length: 12 }, (_, index) => `127.0.0.${index + 1}`)
    const once = await Promise.all(hosts.map(shardFrom))
    expect(await Promise.all(hosts.map(shardFrom))).toEqual(once)
    expect(new Set(once).size).toBeGreaterThan(1)
  })
})

describe('start-up', () => {
  it.each([
    ['fail', 'ERR_SHARD_APP', 'the application failed to start in shard 0: the application is broken'],
    ['crash', 'ERR_SHARD_CRASHED', 'shard 0 crashed: crashed at start'],
    ['exit', 'ERR_SHARD_EXITED', 'shard 0 called process.exit(7)'],
    ['hang', 'ERR_SHARD_START_TIMEOUT', 'shard 0 was not ready after 1000 ms (startTimeoutMs)'],
  ])('rejects when the application does %s, and releases everything', async (mode, code, message) => {
    const before = descriptors()
    const failure = await start({
      workers: 1,
      app: setMode(mode),
      startTimeoutMs: mode === 'hang' ? 1000 : 30_000,
    }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ShardError)
    expect(failure).toMatchObject({ code, message })
    await vi.waitFor(() => expect(descriptors()).toBeLessThanOrEqual(before + 4), WAIT)
  })

  it('carries the error of the application, with its stack', async () => {
    const failure = (await start({ app: setMode('fail') }).catch((error: unknown) => error)) as ShardError
    expect(failure.cause).toBeInstanceOf(TypeError)
    expect((failure.cause as Error).stack).toContain('at app.mjs:1:1')
  })

  it('rejects when the worker file does not exist', async () => {
    const failure = await start({}, { workerFile: join(directory, 'none.mjs') }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ code: 'ERR_SHARD_CRASHED' })
    expect((failure as ShardError).message).toContain('Cannot find module')
  })

  it('says in one line that the port is in use', async () => {
    const running = await start()
    const port = running.address()?.port as number
    const failure = await Server.start(
      resolveOptions({ port, host: '127.0.0.1', workers: 1, app: setMode('ok') }),
      { workerFile },
    ).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'ERR_LISTEN',
      message: `port ${port} of 127.0.0.1 is in use already; choose another port or stop what listens there`,
      cause: { code: 'EADDRINUSE' },
    })
  })

  it.each(['203.0.113.1', 'no.such.host.invalid'])(
    'says that %s is no address of this machine',
    async host => {
      await expect(start({ host })).rejects.toMatchObject({
        code: 'ERR_LISTEN',
        message: expect.stringContaining(`host ${host} is not an address of this machine`) as unknown,
      })
    },
  )
})

describe('a replacement that fails', () => {
  it.each(['fail', 'crash', 'exit', 'hang'])('does %s at start is tried again until it runs', async mode => {
    const running = await start({ startTimeoutMs: mode === 'hang' ? 1500 : 30_000 })
    const errors = shardErrors(running)
    setMode(mode)
    const [victim, witness] = (await clientOfEach(running)) as [RawClient, RawClient]
    victim.send('crash')
    await vi.waitFor(() => expect(errors.length).toBeGreaterThanOrEqual(4), WAIT)
    expect(await witness.ask('undisturbed')).toContain('undisturbed')
    // Meanwhile everybody goes to the other.
    expect(await shardOf(await connect(running))).toBe(1)

    setMode('ok')
    await allReady(running)
    expect(await shardOf(await connect(running))).toBe(0)
  })

  it('is refused while no shard is there', async () => {
    const running = await start({ workers: 1 }, { backoff: { ...FAST_BACKOFF, firstMs: 300 } })
    const errors = shardErrors(running)
    const client = await connect(running)
    client.send('exit')
    await vi.waitFor(() => expect(errors.length).toBe(1), WAIT)
    await (await connect(running)).closed
    expect(running.stats().refused.noShard).toBe(1)
    await allReady(running)
    expect(await (await connect(running)).ask('again')).toBe('again')
  })

  it('waits twice as long each time, up to a limit', async () => {
    const running = await start({ workers: 1 }, { backoff: { firstMs: 40, maxMs: 160, healthyMs: 60_000 } })
    const times: number[] = []
    running.on('shardError', () => times.push(performance.now()))
    setMode('exit')
    ;(await connect(running)).send('exit')
    await vi.waitFor(() => expect(times.length).toBe(6), WAIT)
    const gaps = times.slice(1).map((time, index) => time - times[index])
    for (const [index, waitMs] of [40, 80, 160, 160, 160].entries()) {
      expect(gaps[index]).toBeGreaterThanOrEqual(waitMs - 2)
    }
  })

  it('begins with the shortest wait again after a healthy life', async () => {
    const running = await start({ workers: 1 }, { backoff: { firstMs: 10, maxMs: 100_000, healthyMs: 0 } })
    shardErrors(running)
    for (let crash = 1; crash <= 14; crash++) {
      ;(await connect(running)).send('exit')
      await vi.waitFor(() => expect(running.stats().shards[0]?.restarts).toBe(crash), WAIT)
      await allReady(running)
    }
  })
})

describe('close', () => {
  it('gives the same promise twice and emits close once', async () => {
    const running = await start()
    const closed = vi.fn<() => void>()
    running.on('close', closed)
    const first = running.close()
    expect(running.close({ timeoutMs: 5 })).toBe(first)
    await first
    expect(closed).toHaveBeenCalledTimes(1)
  })

  it('does not wait for a shard that is waiting to be replaced, nor for one that hangs at start', async () => {
    const running = await start(
      { startTimeoutMs: 60_000 },
      { backoff: { firstMs: 60_000, maxMs: 60_000, healthyMs: 0 } },
    )
    const errors = shardErrors(running)
    const [victim] = await clientOfEach(running)
    victim?.send('crash')
    await vi.waitFor(() => expect(errors.length).toBe(1), WAIT)
    await running.close()

    const other = await start({ startTimeoutMs: 60_000 })
    shardErrors(other)
    const [second] = await clientOfEach(other)
    setMode('hang')
    second?.send('crash')
    await vi.waitFor(() => expect(other.stats().shards[0]?.restarts).toBe(1), WAIT)
    await other.close({ timeoutMs: 100 })
  })

  it.each([
    [{ timeoutMs: -1 }, 'timeoutMs must be an integer from 0'],
    [{ timeoutMs: 0.5 }, 'timeoutMs must be an integer from 0'],
    [{ code: 1005 }, 'code must be a close code'],
  ])('refuses %o', async (options, message) => {
    const running = await start({ workers: 1 })
    expect(() => running.close(options)).toThrow(message)
  })
})

process.once('exit', () => rmSync(directory, { recursive: true }))
