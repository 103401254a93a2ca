// One client sends a message to all, itself included; when everybody has it, the next.
import { setTimeout as delay } from 'node:timers/promises'
import { processorTime } from '../usage.mjs'
import { open, smallFrame } from './client.mjs'
import { onTask } from './task.mjs'

const BINARY = 0x2
const AT_ONCE = 100
/** The bytes of every 64th delivery are compared, the number of all. */
const SAMPLE = 64

onTask(async ({ port, pids, seconds, warmup, connections, size, mirrored }, tell) => {
  const payload = Array.from({ length: size }, (_, index) => (index * 7) & 0xff)
  const sent = smallFrame(BINARY, payload)
  // What a server sends is not masked, unless it sends the very bytes that it got.
  const expected = mirrored ? sent : Buffer.from([0x80 | BINARY, size, ...payload])

  let publisher
  let missing = 0
  let deliveries = 0
  let fault
  let started = 0
  let latencies = []
  const publish = () => {
    missing = connections * expected.length
    started = performance.now()
    publisher.write(sent)
  }
  const receive = bytes => {
    if (deliveries % SAMPLE === 0 && bytes.length === expected.length && !bytes.equals(expected)) {
      fault = 'a message came changed'
    }
    deliveries += bytes.length / expected.length
    missing -= bytes.length
    if (missing < 0) fault = 'more came than was sent'
    if (missing !== 0) return
    latencies.push((performance.now() - started) * 1000)
    publish()
  }

  const sockets = []
  while (sockets.length < connections) {
    const count = Math.min(AT_ONCE, connections - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length: count }, () => open({ port }, receive)))))
  }
  publisher = sockets[0]
  publish()

  await delay(warmup * 1000)
  deliveries = 0
  latencies = []
  const server = processorTime(pids)
  const start = performance.now()
  await delay(seconds * 1000)
  const elapsed = (performance.now() - start) / 1000
  const used = processorTime(pids) - server
  if (fault !== undefined) throw new Error(fault)
  if (latencies.length === 0) throw new Error('not a single message reached everybody')
  const sorted = latencies.toSorted((a, b) => a - b)
  tell({
    cpuUs: used / deliveries,
    perSecond: deliveries / elapsed,
    p50Us: sorted[sorted.length >> 1],
    p99Us: sorted[Math.floor(sorted.length * 0.99)],
    serverShare: used / (elapsed * 1e6),
  })
})
