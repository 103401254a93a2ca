// A worker: one connection, a message now and then, and how long each takes to come back.
import { setTimeout as delay } from 'node:timers/promises'
import { open, smallFrame } from '../workers/client.mjs'
import { onTask } from '../workers/task.mjs'

const FRAME = smallFrame(
  0x2,
  Array.from({ length: 20 }, (_, index) => index),
)

onTask(async ({ port, intervalMs, messages }, tell) => {
  let arrived
  const socket = await open({ port }, () => arrived())
  const latencies = []
  for (let i = 0; i < messages; i++) {
    await delay(intervalMs)
    const start = performance.now()
    const answer = new Promise(resolve => {
      arrived = resolve
    })
    socket.write(FRAME)
    await answer
    latencies.push((performance.now() - start) * 1000)
  }
  // The first ones find cold code.
  const sorted = latencies.slice(messages >> 2).toSorted((a, b) => a - b)
  tell({ p50Us: sorted[sorted.length >> 1], p99Us: sorted[Math.floor(sorted.length * 0.99)] })
})
