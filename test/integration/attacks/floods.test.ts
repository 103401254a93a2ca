// As much as the network brings, of what is cheap to send.
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { many, openMany, pour } from '../../support/attackers.js'
import { frame, PING, TEXT } from '../../support/frames.js'
import { memoryBound } from '../../support/memory-bound.js'
import { setStage } from '../../support/stage.js'
import { WireClient } from '../../support/wire-client.js'

const OPTIONS = { maxPayload: 65_536, maxBackpressure: 262_144, closeTimeoutMs: 1000 }
const ATTACKERS = 100
const FOR_MS = 1500

const stage = setStage(OPTIONS)

const floods = {
  'Pings, and reads the Pongs': { opcode: PING, payload: 'ping', reads: true },
  'Pings, and reads nothing': { opcode: PING, payload: 'ping', reads: false },
  'empty messages': { opcode: TEXT, payload: '', reads: true },
  'messages of 200 bytes': { opcode: TEXT, payload: 'x'.repeat(200), reads: true },
  'messages of 16 KiB, and reads nothing': { opcode: TEXT, payload: 'x'.repeat(16_384), reads: false },
}

test.each(Object.entries(floods))('a flood of %s', async (_, { opcode, payload, reads }) => {
  const one = frame(opcode, payload)
  const batch = Buffer.concat(Array.from({ length: Math.ceil(262_144 / one.length) }, () => one))
  const before = (await stage.server.stats()).total
  await stage.bystanders.during(memoryBound(OPTIONS, ATTACKERS, 'output', 'held'), async () => {
    const endMs = performance.now() + FOR_MS
    await many(ATTACKERS, async () => {
      const client = await WireClient.open(stage.server.port)
      if (reads) client.ignore()
      else client.socket.pause()
      await pour(client, () => batch, endMs)
      client.reset()
    })
  })
  const { total } = await stage.server.stats()
  expect(total.bytesIn - before.bytesIn).toBeGreaterThan(2 ** 20)
  if (!reads && opcode === PING) expect(total.pongsSkipped).toBeGreaterThan(before.pongsSkipped)
})

test('an application that sends to clients that never read: 1008 at maxBackpressure', async () => {
  const before = await stage.server.app()
  const { messagesDropped } = (await stage.server.stats()).total
  await stage.bystanders.during(memoryBound(OPTIONS, ATTACKERS, 'output'), async () => {
    const clients = await openMany(stage.server.port, ATTACKERS)
    for (const client of clients) {
      client.socket.pause()
      // More than the kernel keeps for both ends. What the application takes for it is its own, so one after the other.
      client.sendText('!flood 20 524288')
      await pause(5)
    }
    // They are cut after closeTimeoutMs.
    await stage.server.empty(stage.bystanders.count)
    for (const client of clients) client.reset()
  })
  const { codes, mostBuffered } = await stage.server.app()
  expect((codes[1008] ?? 0) - (before.codes[1008] ?? 0)).toBe(ATTACKERS)
  expect(mostBuffered).toBeLessThanOrEqual(OPTIONS.maxBackpressure)
  expect((await stage.server.stats()).total.messagesDropped).toBeGreaterThan(messagesDropped)
})
