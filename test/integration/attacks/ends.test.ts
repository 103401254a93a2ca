// Peers that end by halves, or not at all.
import { expect, test } from 'vitest'
import { many, openMany, pour } from '../../support/attackers.js'
import { CLOSE, closeFrame, text } from '../../support/frames.js'
import { memoryBound } from '../../support/memory-bound.js'
import { setStage } from '../../support/stage.js'
import { WireClient } from '../../support/wire-client.js'

const OPTIONS = { closeTimeoutMs: 500, idlePingMs: 400, idleTimeoutMs: 1200 }
const ATTACKERS = 300

const stage = setStage(OPTIONS)

test('Close frames without a FIN after them: cut after closeTimeoutMs', async () => {
  const before = await stage.closes(4000)
  await stage.bystanders.during(memoryBound(OPTIONS, ATTACKERS), async () => {
    const clients = await many(ATTACKERS, async () => {
      const client = await WireClient.open(stage.server.port)
      client.send(closeFrame(4000))
      expect((await client.closing()).code).toBe(4000)
      return client
    })
    await stage.server.empty(stage.bystanders.count)
    for (const client of clients) client.reset()
  })
  expect(await stage.closes(4000)).toBe(before + ATTACKERS)
})

test('Close frames, and then whatever the network brings: cut after closeTimeoutMs', async () => {
  const attackers = 40
  const before = await stage.closes(4001)
  const rubbish = Buffer.alloc(100_000, 'x')
  await stage.bystanders.during(memoryBound(OPTIONS, attackers), async () => {
    await many(attackers, async () => {
      const client = await WireClient.open(stage.server.port)
      client.send(closeFrame(4001))
      await pour(client, () => rubbish)
    })
  })
  expect(await stage.closes(4001)).toBe(before + attackers)
})

test("the server's Close frame is never answered: cut after closeTimeoutMs", async () => {
  const before = await stage.closes(1006)
  await stage.bystanders.during(memoryBound(OPTIONS, ATTACKERS), async () => {
    const clients = await many(ATTACKERS, async () => {
      const client = await WireClient.open(stage.server.port)
      client.sendText('!close 4002')
      expect((await client.frame()).opcode).toBe(CLOSE)
      return client
    })
    await stage.server.empty(stage.bystanders.count)
    for (const client of clients) client.reset()
  })
  expect(await stage.closes(1006)).toBe(before + ATTACKERS + 1)
})

test('FIN, and answers that nobody reads: cut after closeTimeoutMs', async () => {
  const attackers = 100
  const before = await stage.closes(1006)
  const message = text('x'.repeat(1_000_000))
  await stage.bystanders.during(memoryBound(OPTIONS, attackers, 'message', 'output', 'held'), async () => {
    const clients = await many(attackers, async () => {
      const client = await WireClient.open(stage.server.port)
      client.socket.pause()
      client.send(Buffer.concat([message, message, message, message, message]))
      client.end()
      return client
    })
    await stage.server.empty(stage.bystanders.count)
    for (const client of clients) client.reset()
  })
  expect(await stage.closes(1006)).toBe(before + attackers + 1)
})

test('peers that have gone without a word: dropped after idleTimeoutMs', async () => {
  const before = await stage.closes(1006)
  await stage.bystanders.during(memoryBound(OPTIONS, ATTACKERS), async () => {
    // They read, and answer no Ping.
    const clients = await openMany(stage.server.port, ATTACKERS)
    for (const client of clients) {
      await client.ended()
      client.end()
    }
  })
  expect(await stage.closes(1006)).toBe(before + ATTACKERS + 1)
})
