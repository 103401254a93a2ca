// Garbage: whatever comes, the server lives, lets go of it, and others notice nothing.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLOSE, frame, PING, PONG, TEXT } from '../support/frames.js'
import { Random } from '../support/random.js'
import { ServerProcess } from '../support/server-process.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

const CLIENTS = 600
const AT_A_TIME = 20

let server: ServerProcess

beforeAll(async () => {
  server = await ServerProcess.start({ closeTimeoutMs: 500, handshakeTimeoutMs: 500 })
})

afterAll(() => server.finish())

/** Frames that are right, most of them. */
function validStream(random: Random): Buffer {
  const frames: Buffer[] = []
  for (let count = random.integer(1, 10); count > 0; count--) {
    const opcode = random.pick([TEXT, 2, PING, PONG, 0, CLOSE])
    const size = random.pick([0, 1, 20, 125, 126, 3000])
    const payload = opcode === TEXT ? Buffer.from('aé€😀'.repeat(size)) : random.bytes(size)
    frames.push(frame(opcode, opcode > 7 ? payload.subarray(0, 125) : payload, { fin: random.next() < 0.8 }))
  }
  return Buffer.concat(frames)
}

/** The same with some bytes changed, doubled, or left out. */
function mutate(bytes: Buffer, random: Random): Buffer {
  let mutated = Buffer.from(bytes)
  for (let count = random.integer(1, 5); count > 0 && mutated.length > 0; count--) {
    const at = random.integer(0, mutated.length)
    const end = Math.min(mutated.length, at + random.integer(1, 20))
    const parts = random.pick([
      [mutated.subarray(0, at), random.bytes(end - at), mutated.subarray(end)],
      [mutated.subarray(0, end), mutated.subarray(at)],
      [mutated.subarray(0, at), mutated.subarray(end)],
      [mutated.subarray(0, at)],
    ])
    mutated = Buffer.concat(parts)
  }
  return mutated
}

const random = new Random()

const streams: Record<string, () => Buffer> = {
  'random bytes': () => random.bytes(random.integer(1, 3000)),
  'mutated opening requests': () => mutate(Buffer.from(openingRequest('/?name=x', ['X-Y: z'])), random),
  'random bytes after the opening request': () =>
    Buffer.concat([Buffer.from(openingRequest()), random.bytes(random.integer(1, 3000))]),
  'frames in any order': () => Buffer.concat([Buffer.from(openingRequest()), validStream(random)]),
  'mutated frames': () => Buffer.concat([Buffer.from(openingRequest()), mutate(validStream(random), random)]),
}

test.each(Object.entries(streams))(`%s (seed ${random.seed})`, async (_, make) => {
  const healthy = await Promise.all([WireClient.open(server.port), WireClient.open(server.port)])
  let left = CLIENTS
  const attack = async (): Promise<void> => {
    while (left-- > 0) {
      const client = await WireClient.connect(server.port)
      const bytes = make()
      for (let at = 0; at < bytes.length; ) {
        const end = at + random.integer(1, 1 + (random.next() < 0.5 ? 100 : bytes.length))
        await new Promise(resolve => client.socket.write(bytes.subarray(at, end), resolve))
        at = end
      }
      if (random.next() < 0.2) client.reset()
      else {
        client.end()
        await client.ended()
      }
    }
  }
  const over = new AbortController()
  const attacks = Promise.all(Array.from({ length: AT_A_TIME }, attack)).finally(() => over.abort())
  let rounds = 0
  do {
    for (const client of healthy) expect(await client.ask(`round ${rounds}`)).toBe(`round ${rounds}`)
    rounds++
  } while (!over.signal.aborted)
  await attacks
  expect(rounds).toBeGreaterThan(10)
  for (const client of healthy) client.end()
  await server.empty()
  const { twice, opens, closes } = await server.app()
  expect({ twice, closes }).toEqual({ twice: 0, closes: opens })
  expect(await server.shardErrors()).toEqual([])
})
