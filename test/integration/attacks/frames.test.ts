// Frames that promise much, or never come to an end.
import { expect, test } from 'vitest'
import { many, openMany, pour } from '../../support/attackers.js'
import { BINARY, frame, TEXT } from '../../support/frames.js'
import { memoryBound } from '../../support/memory-bound.js'
import { setStage } from '../../support/stage.js'
import { until } from '../../support/until.js'
import { WireClient } from '../../support/wire-client.js'

const OPTIONS = { maxPayload: 65_536, maxFragments: 100_000, closeTimeoutMs: 1000 }
const CONTINUATION = 0

const stage = setStage(OPTIONS)

test.each([
  ['0 bytes: 1008 at maxFragments', '', 1008],
  ['1 byte: 1009 at maxPayload', 'x', 1009],
])('endless fragments of %s', async (_, payload, code) => {
  const attackers = 40
  const before = await stage.closes(code)
  const first = frame(BINARY, payload, { fin: false })
  const batch = Buffer.concat(
    Array.from({ length: 5000 }, () => frame(CONTINUATION, payload, { fin: false })),
  )
  await stage.bystanders.during(memoryBound(OPTIONS, attackers, 'message'), async () => {
    await many(attackers, async () => {
      const client = await WireClient.open(stage.server.port)
      client.send(first)
      await pour(client, () => (client.ending === undefined ? batch : undefined))
      await client.ended()
      client.end()
    })
  })
  expect(await stage.closes(code)).toBe(before + attackers)
})

const giants: [name: string, announced: bigint, code: number][] = [
  ['2^63', 2n ** 63n, 1002],
  ['2^63 - 1', 2n ** 63n - 1n, 1009],
  ['maxPayload + 1', 65_537n, 1009],
]

test.each(giants)('hundreds of frames that announce %s bytes: %i', async (_, announced, code) => {
  const attackers = 300
  const before = await stage.closes(code)
  const bytes = Buffer.concat([frame(BINARY, '', { announced, lengthBits: 64 }), Buffer.alloc(100_000)])
  await stage.bystanders.during(memoryBound(OPTIONS, attackers), async () => {
    const clients = await openMany(stage.server.port, attackers)
    for (const client of clients) client.send(bytes)
    for (const client of clients) {
      expect((await client.closing()).code).toBe(code)
      client.end()
    }
  })
  expect(await stage.closes(code)).toBe(before + attackers)
})

test('hundreds of frames that announce maxPayload and bring nothing', async () => {
  const attackers = 300
  const before = await stage.closes(1006)
  await stage.bystanders.during(memoryBound(OPTIONS, attackers, 'message'), async () => {
    const clients = await openMany(stage.server.port, attackers)
    const bytes = frame(TEXT, 'x', { announced: OPTIONS.maxPayload })
    for (const client of clients) client.send(bytes)
    await until(
      'all is read',
      async () => (await stage.server.stats()).total.bytesIn > attackers * bytes.length,
    )
    for (const client of clients) client.reset()
  })
  // The guest who came afterwards as well.
  expect(await stage.closes(1006)).toBe(before + attackers + 1)
})

test('frames that hundreds of clients dribble, a byte at a time', async () => {
  const attackers = 400
  const text = 'dribbled '.repeat(20)
  const bytes = Buffer.concat([
    frame(TEXT, text.slice(0, 100), { fin: false }),
    frame(CONTINUATION, text.slice(100)),
  ])
  await stage.bystanders.during(memoryBound(OPTIONS, attackers, 'message'), async () => {
    const clients = await openMany(stage.server.port, attackers)
    for (const byte of bytes) {
      await Promise.all(
        clients.map(client => new Promise(resolve => client.socket.write(Buffer.of(byte), resolve))),
      )
    }
    // They are slow, and right.
    for (const client of clients) expect(await client.text()).toBe(text)
    for (const client of clients) client.end()
  })
})
