// Loads a server with autocannon: HTTP requests, or messages through the WebSocket adapter.
import { setTimeout as delay } from 'node:timers/promises'
import autocannon from 'autocannon'
import { webSocket } from '../autocannon-websocket/adapter.mjs'
import { processorTime } from '../usage.mjs'
import { onTask } from './task.mjs'

onTask(async ({ pids, seconds, status, ...options }, tell) => {
  const isWebSocket = status === undefined
  const run = duration =>
    autocannon({ ...options, duration, ...(isWebSocket && { setupClient: webSocket({ size: 20 }) }) })
  await run(1)
  // What the last connections left is not the next ones' cost.
  await delay(100)

  const server = processorTime(pids)
  const { latency, duration, errors, mismatches, statusCodeStats } = await run(seconds)
  const used = processorTime(pids) - server
  const expected = String(status ?? 200)
  const count = statusCodeStats[expected]?.count ?? 0
  const others = Object.keys(statusCodeStats).filter(code => code !== expected)
  if (others.length > 0) throw new Error(`answers with status ${others.join(', ')}, not ${expected}`)
  if (count === 0 || errors > 0 || mismatches > 0) {
    throw new Error(`${count} answers, ${errors} errors, ${mismatches} mismatches`)
  }
  const unit = isWebSocket ? 1 : 1000
  tell({
    cpuUs: used / count,
    perSecond: count / duration,
    p50Us: latency.p50 * unit,
    p99Us: latency.p99 * unit,
    serverShare: used / (duration * 1e6),
  })
})
