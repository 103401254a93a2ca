// Connections that come and go leave nothing behind.
import { describe, expect, test } from 'vitest'
import { closeFrame, text } from '../support/frames.js'
import { handoffWays } from '../support/handoff-ways.js'
import { Random } from '../support/random.js'
import { type Memory, ServerProcess } from '../support/server-process.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

const CYCLES = 5000
const WARM_UP = 2000
const AT_A_TIME = 50
const MIB = 2 ** 20

/** One connection's life. */
type Cycle = (client: WireClient) => Promise<void>

const cycles: Cycle[] = [
  // A clean close by the client, by the server.
  async client => {
    client.send(openingRequest())
    await client.handshake()
    expect(await client.ask('hello')).toBe('hello')
    client.send(closeFrame(1000))
    expect((await client.closing()).code).toBe(1000)
    client.end()
  },
  async client => {
    client.send(openingRequest())
    await client.handshake()
    client.sendText('!close 4000')
    await client.frame()
    client.send(closeFrame(4000))
    expect(await client.ended()).toBe('fin')
    client.end()
  },
  // Half-closes.
  async client => {
    client.send(Buffer.concat([Buffer.from(openingRequest()), text('x'.repeat(2000))]))
    client.end()
    await client.handshake()
    expect((await client.rest()).frames).toHaveLength(1)
  },
  async client => {
    client.end()
    await client.ended()
  },
  // Resets.
  async client => {
    client.send(openingRequest())
    await client.handshake()
    client.send(text('unfinished', { announced: 100_000 }))
    client.reset()
  },
  async client => {
    client.send(openingRequest().slice(0, 70))
    client.reset()
  },
  // A violation, a refusal, HTTP.
  async client => {
    client.send(openingRequest())
    await client.handshake()
    client.send(text('x', { rsv: 1 }))
    expect((await client.closing()).code).toBe(1002)
    client.end()
  },
  async client => {
    client.send(openingRequest('/?status=403'))
    expect((await client.response()).status).toBe(403)
    await client.ended()
    client.end()
  },
  async client => {
    client.send('GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    expect((await client.response()).status).toBe(200)
    await client.ended()
    client.end()
  },
]

async function churn(port: number, count: number, random: Random): Promise<void> {
  let left = count
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      while (left-- > 0) {
        const cycle = random.pick(cycles)
        await cycle(await WireClient.connect(port))
      }
    }),
  )
}

function total({ heapUsed, external }: Memory): number {
  return heapUsed + external
}

describe.each(handoffWays)('by $way', ({ way, options }) => {
  const random = new Random()

  test(
    `${CYCLES} connections leave descriptors and memory as they were (seed ${random.seed})`,
    options,
    async () => {
      const server = await ServerProcess.start({}, way)
      try {
        const idle = server.sockets()
        // Code is compiled, pools are filled.
        await churn(server.port, WARM_UP, random)
        await server.empty()
        const before = await server.memory()
        await churn(server.port, CYCLES, random)
        await server.empty()
        const after = await server.memory()
        expect(server.sockets()).toBe(idle)
        // The objects of a connection that is not let go are more. The heap moves by up to half of this.
        expect(total(after) - total(before)).toBeLessThan(CYCLES * 400)
        // What the allocators keep, which is more where everything takes longer.
        expect(after.rss - before.rss).toBeLessThan(64 * MIB)
        expect((await server.stats()).accepted).toBe(CYCLES + WARM_UP)
        await server.finish()
      } finally {
        server.kill()
      }
    },
  )
})
