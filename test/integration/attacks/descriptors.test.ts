// More connections than the process may have descriptors: it serves those it has, does not spin, and recovers.
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { HandoffWay } from '../../../src/primary/handoff.js'
import { many } from '../../support/attackers.js'
import { handoffWays } from '../../support/handoff-ways.js'
import { memoryBound } from '../../support/memory-bound.js'
import { type Stage, setStage } from '../../support/stage.js'
import { until } from '../../support/until.js'
import { openingRequest, WireClient } from '../../support/wire-client.js'

const OPTIONS = { closeTimeoutMs: 500, maxDescriptors: 120 }
const ATTACKERS = 400
/** Of a second without a descriptor, bystanders included; a loop that spins takes all of it. */
const MOST_CPU_MS = 600

const stages = new Map<HandoffWay, Stage>()
for (const { way, options } of handoffWays) if (options.skip !== true) stages.set(way, setStage(OPTIONS, way))

describe.each(handoffWays)('by $way', ({ way, options }) => {
  test('hundreds of connections where there are descriptors for some dozens', options, async () => {
    const { server, bystanders } = stages.get(way) as Stage
    const { accepted, acceptErrors, refused } = await server.stats()
    const turnedAway = refused.handoff + acceptErrors
    await bystanders.during(memoryBound({}, ATTACKERS), async () => {
      const clients = await many(ATTACKERS, async () => {
        const client = await WireClient.connect(server.port)
        client.send(openingRequest())
        return client
      })
      await until('descriptors are short', async () => {
        const now = await server.stats()
        return now.refused.handoff + now.acceptErrors > turnedAway || now.accepted < accepted + ATTACKERS
      })
      await until('some are open', async () => (await server.stats()).total.connections > 10)
      await pause(300)
      const before = server.cpuMs()
      await pause(1000)
      expect(server.cpuMs() - before).toBeLessThan(MOST_CPU_MS)
      // Those that are in are served.
      const { connections } = (await server.stats()).total
      let served = 0
      for (const client of clients) {
        if (client.received === 0 || client.ending !== undefined) continue
        await client.handshake()
        expect(await client.ask('still here')).toBe('still here')
        served++
      }
      expect(served).toBeGreaterThan(10)
      expect(served).toBeGreaterThanOrEqual(connections - bystanders.count)
      for (const client of clients) client.reset()
    })
  })
})
