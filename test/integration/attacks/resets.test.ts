// Connections that are cut, in every state they can be in, by the hundred.
import { expect, test } from 'vitest'
import { type Approach, afterOpen, beforeOpen } from '../../support/approaches.js'
import { many } from '../../support/attackers.js'
import { memoryBound } from '../../support/memory-bound.js'
import { setStage } from '../../support/stage.js'
import { WireClient } from '../../support/wire-client.js'

/** Deadlines that nothing waits for: what ends does so by itself. */
const OPTIONS = { closeTimeoutMs: 600_000, handshakeTimeoutMs: 600_000 }
const PER_STATE = 50

const stage = setStage(OPTIONS)

async function resetAll(states: Record<string, Approach>): Promise<void> {
  const approaches = Object.values(states)
  const attackers = approaches.length * PER_STATE
  await stage.bystanders.during(memoryBound(OPTIONS, attackers, 'message', 'output', 'held'), async () => {
    await many(attackers, async index => {
      const client = await WireClient.connect(stage.server.port)
      await approaches[index % approaches.length]?.(client)
      client.reset()
    })
  })
}

test('as soon as they are connected, before they are accepted', async () => {
  const attackers = 3000
  const { accepted } = await stage.server.stats()
  await stage.bystanders.during(memoryBound(OPTIONS, attackers), async () => {
    await many(attackers, async () => (await WireClient.connect(stage.server.port)).reset())
  })
  expect((await stage.server.stats()).accepted).toBeGreaterThanOrEqual(accepted + attackers)
})

test('before the WebSocket opens: the application knows nothing of it', async () => {
  const before = await stage.server.app()
  await resetAll(beforeOpen)
  // The guest who came afterwards is the one.
  expect((await stage.server.app()).opens).toBe(before.opens + 1)
})

test('open WebSockets: the application is told of each, once', async () => {
  const before = await stage.server.app()
  await resetAll(afterOpen)
  const { opens, closes, codes, twice } = await stage.server.app()
  const count = Object.keys(afterOpen).length * PER_STATE + 1
  expect({ opens, closes, twice }).toEqual({
    opens: before.opens + count,
    closes: before.closes + count,
    twice: 0,
  })
  // Some got more than they read: those were closed before they were cut.
  const ends = [codes, before.codes].map(each => (each[1006] ?? 0) + (each[1008] ?? 0))
  expect(ends[0]).toBe((ends[1] ?? 0) + count)
})
