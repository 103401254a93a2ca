// Those who watch the other attacks: a shard that makes them wait is found out, whatever else the machine is busy with.
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { memoryBound } from '../../support/memory-bound.js'
import { setStage } from '../../support/stage.js'
import { WireClient } from '../../support/wire-client.js'

const OPTIONS = { closeTimeoutMs: 500 }
/** Threads that take the processors from the server, more than a machine of two has. */
const HOGS = 4

const stage = setStage(OPTIONS)

/** Well over what an echo may take: those who watch may be late to ask. */
const BUSY_MS = 500

/** One client keeps its shard busy for `ms`, in a handler. */
async function spin(ms: number): Promise<void> {
  const { bystanders, server } = stage
  await bystanders.during(memoryBound(OPTIONS, 1), async () => {
    const client = await WireClient.open(server.port)
    client.sendText(`!spin ${ms}`)
    expect(await client.ask('and then')).toBe('and then')
    client.reset()
  })
}

test(`a handler that spins for ${BUSY_MS} ms`, async () => {
  await expect(spin(BUSY_MS)).rejects.toThrow(/an echo took/)
})

test('the same, while others take the processors', async () => {
  const work = 'for (;;);'
  const hogs = Array.from({ length: HOGS }, () => new Worker(work, { eval: true }))
  await expect(spin(BUSY_MS)).rejects.toThrow(/an echo took/)
  await Promise.all(hogs.map(hog => hog.terminate()))
})

test('one that does not spin: all is well', async () => {
  await expect(spin(0)).resolves.toBeUndefined()
})
