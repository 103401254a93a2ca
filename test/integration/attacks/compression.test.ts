// Little on the wire, much in memory.
import { constants, deflateRawSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { many, pour } from '../../support/attackers.js'
import { compressed, deflateMessage } from '../../support/compressed-frames.js'
import { BINARY, frame, TEXT } from '../../support/frames.js'
import { memoryBound } from '../../support/memory-bound.js'
import { setStage } from '../../support/stage.js'
import { openingRequest, WireClient } from '../../support/wire-client.js'

const MIB = 2 ** 20
const OPTIONS = { perMessageDeflate: true, closeTimeoutMs: 1000 }
const OFFER = [
  'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover',
]
const ATTACKERS = 60

const stage = setStage(OPTIONS)

async function open(): Promise<WireClient> {
  const client = await WireClient.connect(stage.server.port)
  client.send(openingRequest('/', OFFER))
  const { headers } = await client.handshake()
  expect(headers['sec-websocket-extensions']).toContain('permessage-deflate')
  return client
}

/** `count` MiB of zeros, as a client would compress them. */
function zeros(count: number): Buffer {
  const block = deflateRawSync(Buffer.alloc(MIB), { finishFlush: constants.Z_FULL_FLUSH })
  return Buffer.concat([...Array.from({ length: count - 1 }, () => block), block.subarray(0, -4)])
}

const bombs: [name: string, bytes: Buffer][] = [
  ['of a gigabyte', compressed(zeros(1024), BINARY)],
  ['of a gigabyte in fragments of 100 bytes', inFragments(zeros(1024), 100)],
  ['of a byte too many', compressed(deflateMessage(Buffer.alloc(MIB + 1)), BINARY)],
  [
    'behind final blocks',
    compressed(Buffer.concat(Array.from({ length: 5000 }, () => Buffer.of(3, 0))), TEXT),
  ],
]

function inFragments(payload: Buffer, size: number): Buffer {
  const frames = [compressed(payload.subarray(0, size), BINARY, { fin: false })]
  let at = size
  for (; at + size < payload.length; at += size)
    frames.push(frame(0, payload.subarray(at, at + size), { fin: false }))
  frames.push(frame(0, payload.subarray(at)))
  return Buffer.concat(frames)
}

test.each(bombs)('bombs %s: 1009, or 1007', async (_, bytes) => {
  const before = (await stage.server.app()).codes
  const code = bytes === bombs.at(-1)?.[1] ? 1007 : 1009
  await stage.bystanders.during(memoryBound(OPTIONS, ATTACKERS, 'message', 'message', 'held'), async () => {
    const clients = await many(ATTACKERS, open)
    for (const client of clients) client.send(bytes)
    for (const client of clients) {
      expect((await client.closing()).code).toBe(code)
      client.end()
    }
  })
  expect((await stage.server.app()).codes[code]).toBe((before[code] ?? 0) + ATTACKERS)
})

test('a flood of messages that are inflated to just maxPayload', async () => {
  const message = compressed(deflateMessage(Buffer.alloc(MIB, 'x')))
  const batch = Buffer.concat(Array.from({ length: 50 }, () => message))
  const bound = memoryBound(OPTIONS, ATTACKERS, 'message', 'output', 'held')
  const { messagesIn } = (await stage.server.stats()).total
  await stage.bystanders.during(bound, async () => {
    const end = performance.now() + 2000
    await many(ATTACKERS, async () => {
      const client = await open()
      client.ignore()
      await pour(client, () => (performance.now() < end ? batch : undefined), end)
      client.reset()
    })
  })
  expect((await stage.server.stats()).total.messagesIn).toBeGreaterThan(messagesIn + ATTACKERS)
})
