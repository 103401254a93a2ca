// A shard that dies takes its own connections with it, and nothing else.
import { afterEach, describe, expect, test } from 'vitest'
import { ServerProcess } from '../support/server-process.js'
import { until } from '../support/until.js'
import { WireClient } from '../support/wire-client.js'

const WORKERS = 3

let server: ServerProcess | undefined

afterEach(() => {
  server?.kill()
  server = undefined
})

/** Clients, each with the shard that has it. */
async function connectAll(port: number, count: number): Promise<{ client: WireClient; shard: number }[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const client = await WireClient.open(port)
      return { client, shard: Number(await client.ask('!shard')) }
    }),
  )
}

/** Sends numbered messages, a few under way at any time, until told to stop; throws if an answer is not the next. */
class Load {
  count = 0
  readonly #client: WireClient
  readonly #done: Promise<void>
  #stopped = false

  constructor(client: WireClient) {
    this.#client = client
    this.#done = this.#run()
    // It is looked at when the load is stopped.
    this.#done.catch(() => {})
  }

  async stop(): Promise<number> {
    this.#stopped = true
    await this.#done
    return this.count
  }

  async #run(): Promise<void> {
    const UNDER_WAY = 8
    for (let i = 0; i < UNDER_WAY; i++) this.#client.sendText(`message ${i}`)
    for (; !this.#stopped; this.count++) {
      const answer = await this.#client.text()
      if (answer !== `message ${this.count}`) throw new Error(`${answer} instead of message ${this.count}`)
      this.#client.sendText(`message ${this.count + UNDER_WAY}`)
    }
  }
}

const deaths = [
  { how: 'an uncaught exception', command: '!crash', code: 'ERR_SHARD_CRASHED' },
  { how: 'process.exit()', command: '!exit', code: 'ERR_SHARD_EXITED' },
  { how: 'the limit of its heap', command: '!memory', code: 'ERR_SHARD_OUT_OF_MEMORY' },
]

describe('a shard is killed under load', () => {
  test.each(deaths)('by $how: $code', async ({ command, code }) => {
    server = await ServerProcess.start({
      workers: WORKERS,
      logLevel: 'silent',
      resourceLimits: { maxOldGenerationSizeMb: 48 },
    })
    const idle = server.sockets()
    const clients = await connectAll(server.port, 10 * WORKERS)
    const perShard = Array.from(
      { length: WORKERS },
      (_, shard) => clients.filter(each => each.shard === shard).length,
    )
    expect(perShard).toEqual(Array.from({ length: WORKERS }, () => 10))

    const victims = clients.filter(({ shard }) => shard === 1).map(({ client }) => client)
    const others = clients.filter(({ shard }) => shard !== 1).map(({ client }) => client)
    const loads = others.map(client => new Load(client))
    for (const victim of victims.slice(1)) void new Load(victim)
    await until('the load runs', () => loads.every(({ count }) => count > 100))

    victims[0].sendText(command)
    for (const victim of victims) await victim.ended()
    const counts = loads.map(load => load.count)
    await until('the shard is replaced', async () => {
      const { shards } = (await server?.stats()) ?? { shards: [] }
      return (
        shards.length === WORKERS &&
        shards.every(({ state }) => state === 'ready') &&
        shards[1].restarts === 1
      )
    })
    await until('the others went on all along', () => loads.every(({ count }, i) => count > counts[i] + 100))
    expect(await server.shardErrors()).toEqual([{ code, index: 1 }])

    // The dead shard's connections are counted no more, so that its replacement is the one with the fewest.
    const fresh = await connectAll(server.port, 10)
    expect(fresh.map(({ shard }) => shard)).toEqual(Array.from({ length: 10 }, () => 1))
    for (const { client } of fresh) expect(await client.ask('hello')).toBe('hello')
    expect((await server.stats()).shards.map(({ connections }) => connections)).toEqual([10, 10, 10])

    for (const load of loads) expect(await load.stop()).toBeGreaterThan(100)
    for (const client of [...victims, ...others, ...fresh.map(each => each.client)]) client.reset()
    await server.empty()
    expect(server.sockets()).toBe(idle)
    await server.close()
  })

  test('again and again, while clients come and go: no descriptor stays', async () => {
    server = await ServerProcess.start({ workers: 2, logLevel: 'silent' })
    const { port } = server
    const idle = server.sockets()
    const over = new AbortController()
    const witness = await staysOn(0)
    const survivor = new Load(witness)

    // Clients that connect all the time, so that some are on their way to the shard whenever it dies.
    const visitors = Array.from({ length: 8 }, async () => {
      let visits = 0
      while (!over.signal.aborted) {
        const client = await WireClient.connect(port)
        try {
          client.send('GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n')
          client.send('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n')
          await client.handshake()
          await client.ask('hello')
          visits++
        } catch {
          // Its shard died.
        }
        client.reset()
      }
      return visits
    })

    for (let round = 1; round <= 4; round++) {
      const victim = await staysOn(1)
      victim.sendText(round % 2 === 0 ? '!crash' : '!exit')
      await victim.ended()
      victim.reset()
      await until('the shard is replaced', async () => {
        const shard = (await server?.stats())?.shards[1]
        return shard?.restarts === round && shard.state === 'ready'
      })
    }
    over.abort()
    for (const visits of await Promise.all(visitors)) expect(visits).toBeGreaterThan(0)
    expect(await survivor.stop()).toBeGreaterThan(100)
    expect((await server.shardErrors()).map(({ index }) => index)).toEqual([1, 1, 1, 1])

    async function staysOn(wanted: number): Promise<WireClient> {
      for (;;) {
        const client = await WireClient.open(port)
        if ((await client.ask('!shard')) === String(wanted)) return client
        client.reset()
      }
    }
    witness.reset()
    await server.empty()
    expect(server.sockets()).toBe(idle)
    await server.close()
  })
})
