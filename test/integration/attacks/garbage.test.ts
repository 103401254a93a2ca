// Garbage: whatever comes, the server lives, lets go of it, and others notice nothing.
import { expect, test } from 'vitest'
import { many } from '../../support/attackers.js'
import { CLOSE, frame, PING, PONG, TEXT } from '../../support/frames.js'
import { memoryBound } from '../../support/memory-bound.js'
import { mutate } from '../../support/mutations.js'
import { Random } from '../../support/random.js'
import { setStage } from '../../support/stage.js'
import { openingRequest, WireClient } from '../../support/wire-client.js'

const OPTIONS = { closeTimeoutMs: 500, handshakeTimeoutMs: 500 }
const CLIENTS = 600

const stage = setStage(OPTIONS)

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
  await stage.bystanders.during(memoryBound(OPTIONS, CLIENTS, 'message', 'held'), async () => {
    await many(CLIENTS, async () => {
      const client = await WireClient.connect(stage.server.port)
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
    })
  })
  const { twice, opens, closes } = await stage.server.app()
  expect({ twice, closes }).toEqual({ twice: 0, closes: opens - stage.bystanders.count })
})
