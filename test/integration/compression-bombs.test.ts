// Messages that are small on the wire and large once inflated: those who send them get what they deserve, or what they
// may have; everybody else on the shard notices nothing, and the process stays small.
import { constants, deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deflateMessage } from '../support/compressed-frames.js'
import { BINARY, frame } from '../support/frames.js'
import { ServerProcess } from '../support/server-process.js'
import { soon } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

const MIB = 2 ** 20
const MAX_PAYLOAD = MIB
/** What a neighbour's echo may take. */
const MOST_MS = 250
/** What the process may grow by, whatever is sent. */
const MOST_GROWTH = 200 * MIB

let server: ServerProcess

beforeAll(async () => {
  server = await ServerProcess.start({ workers: 1, perMessageDeflate: true, maxPayload: MAX_PAYLOAD })
})

afterAll(() => server.finish())

async function open(): Promise<WireClient> {
  const client = await WireClient.connect(server.port)
  client.send(openingRequest('/', ['Sec-WebSocket-Extensions: permessage-deflate']))
  const { headers } = await client.handshake()
  expect(headers['sec-websocket-extensions']).toBe('permessage-deflate')
  return client
}

function openMany(count: number): Promise<WireClient[]> {
  return Promise.all(Array.from({ length: count }, open))
}

function compressedFrame(payload: Uint8Array): Buffer {
  return frame(BINARY, payload, { rsv: 4 })
}

/** Zeros, as small as they get. */
function zeros(length: number): Buffer {
  return compressedFrame(deflateMessage(Buffer.alloc(length), { level: 9 }))
}

/** A gigabyte of zeros in one message. */
function gigabyte(): Buffer {
  const part = deflateRawSync(Buffer.alloc(64 * MIB), { level: 9, finishFlush: constants.Z_SYNC_FLUSH })
  return compressedFrame(Buffer.concat([...Array.from({ length: 15 }, () => part), part.subarray(0, -4)]))
}

/**
 * Two neighbours, one of which compresses, talk to the shard until `attack` is over.
 *
 * @returns the longest that either waited for an answer, in milliseconds
 */
async function slowestNeighbour(attack: () => Promise<unknown>): Promise<number> {
  const neighbours = [await WireClient.open(server.port), await open()]
  const hello = compressedFrame(deflateMessage('hello'))
  const asks = [
    () => neighbours[0].ask('hello'),
    () => {
      neighbours[1].send(hello)
      return neighbours[1].frame()
    },
  ]
  const talk = { isOver: false }
  let slowestMs = 0
  let answers = 0
  const talks = asks.map(async ask => {
    await ask()
    while (!talk.isOver) {
      const start = performance.now()
      await ask()
      slowestMs = Math.max(slowestMs, performance.now() - start)
      answers++
    }
  })
  try {
    await attack()
  } finally {
    talk.isOver = true
  }
  await Promise.all(talks)
  for (const { socket } of neighbours) socket.destroy()
  expect(answers).toBeGreaterThan(4)
  return slowestMs
}

async function assertUnnoticed(attack: () => Promise<unknown>): Promise<void> {
  const before = server.peakMemory()
  expect(await slowestNeighbour(attack)).toBeLessThan(MOST_MS)
  expect(server.peakMemory() - before).toBeLessThan(MOST_GROWTH)
}

async function closeCode(client: WireClient): Promise<number> {
  const { code } = await client.closing()
  client.end()
  return code
}

test('bombs of a gigabyte end in 1009', async () => {
  const bomb = gigabyte()
  expect(bomb.length).toBeLessThan(1.1 * MIB)
  const attackers = await openMany(20)
  await assertUnnoticed(async () => {
    for (const attacker of attackers) attacker.send(bomb)
    const codes = await Promise.all(attackers.map(closeCode))
    expect(codes).toEqual(attackers.map(() => 1009))
  })
})

test('a storm of bombs, by clients that come again and again, does', async () => {
  const bomb = zeros(MAX_PAYLOAD + 1)
  await assertUnnoticed(async () => {
    for (let wave = 0; wave < 5; wave++) {
      const attackers = await openMany(100)
      for (const attacker of attackers) attacker.send(bomb)
      expect(new Set(await Promise.all(attackers.map(closeCode)))).toEqual(new Set([1009]))
    }
  })
})

test.each([
  ['as large as they may be', zeros(MAX_PAYLOAD), 60],
  ['of 64 KiB', zeros(64 * 1024), 700],
  [
    'of final blocks',
    compressedFrame(Buffer.concat([...Array.from({ length: 32 }, () => Buffer.of(3, 0)), Buffer.of(0)])),
    800,
  ],
])('floods of messages %s, from many clients', async (_, message, count) => {
  const flood = Buffer.concat(Array.from({ length: count * 3 }, () => message))
  const attackers = await openMany(50)
  try {
    await assertUnnoticed(async () => {
      for (const attacker of attackers) attacker.send(flood)
      // All of them are served meanwhile: nobody waits for the end of another's flood.
      await soon('each has three answers', Promise.all(attackers.map(threeAnswers)))
    })
  } finally {
    for (const attacker of attackers) attacker.reset()
    await server.empty()
  }
})

async function threeAnswers(client: WireClient): Promise<void> {
  for (let i = 0; i < 3; i++) {
    // What comes is compressed, and what of it is not worth reading here.
    const before = client.received
    while (client.received === before) await new Promise(resolve => client.socket.once('data', resolve))
  }
}
