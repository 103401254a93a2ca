// Connections that are opened and closed again, some at a time.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { processorTime } from '../usage.mjs'
import { open, smallFrame } from './client.mjs'
import { onTask } from './task.mjs'

const CLOSE_1000 = smallFrame(0x8, [0x03, 0xe8])

async function openAndClose({ port, closing }) {
  const socket = await open({ port })
  const closed = once(socket, 'close')
  if (closing) socket.write(CLOSE_1000)
  else socket.end()
  await closed
}

onTask(async (task, tell) => {
  const { pids, seconds, warmup, connections } = task
  const run = { ended: false, latencies: [] }
  const loop = async () => {
    while (!run.ended) {
      const start = performance.now()
      await openAndClose(task)
      run.latencies.push((performance.now() - start) * 1000)
    }
  }
  // A connection that fails ends the run.
  const loops = Promise.all(Array.from({ length: connections }, loop))

  await Promise.race([loops, sleep(warmup * 1000)])
  run.latencies = []
  const server = processorTime(pids)
  const start = performance.now()
  await Promise.race([loops, sleep(seconds * 1000)])
  const elapsed = (performance.now() - start) / 1000
  const used = processorTime(pids) - server
  const sorted = run.latencies.toSorted((a, b) => a - b)
  run.ended = true
  await loops
  tell({
    cpuUs: used / sorted.length,
    perSecond: sorted.length / elapsed,
    p50Us: sorted[sorted.length >> 1],
    p99Us: sorted[Math.floor(sorted.length * 0.99)],
    serverShare: used / (elapsed * 1e6),
  })
})
