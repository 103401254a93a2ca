// What the server is doing, pushed to whoever watches. A client that reads too slowly misses samples, and nothing piles
// up for it.
//
//   npm start -- examples/monitor/app.mjs      then open http://localhost:9000
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { BroadcastChannel } from 'node:worker_threads'
import { defineApp } from 'shardws'

const INTERVAL_MS = 1000
const page = readFileSync(new URL('index.html', import.meta.url))

/** The sockets of this shard. `socket.data.skipped` counts the samples that it misses. */
const watchers = new Set()
/** The latest of every shard, by index: each announces its own. */
const latest = []
let own = { shard: 0, watchers: 0, utilization: 0 }
let lastUtilization = performance.eventLoopUtilization()
let timer

const shards = new BroadcastChannel('monitor')
shards.addEventListener('message', ({ data }) => {
  latest[data.shard] = data
})

function measure() {
  const utilization = performance.eventLoopUtilization()
  // How much of the time since the last sample the shard was busy, 0 to 1.
  const busy = performance.eventLoopUtilization(utilization, lastUtilization).utilization
  lastUtilization = utilization
  own = { ...own, watchers: watchers.size, utilization: Math.round(busy * 1000) / 1000 }
  latest[own.shard] = own
  shards.postMessage(own)
}

function push() {
  const sample = { time: Date.now(), memory: process.memoryUsage.rss(), shards: latest.filter(Boolean) }
  const text = JSON.stringify(sample)
  for (const socket of watchers) {
    // The one before still waits for this client: what it would get now is out of date when it arrives.
    if (socket.data.isBehind) socket.data.skipped++
    else if (socket.send(text) === 'buffered') socket.data.isBehind = true
  }
}

export default defineApp({
  start({ index }) {
    own.shard = index
    timer = setInterval(() => {
      measure()
      push()
    }, INTERVAL_MS)
  },

  upgrade: () => ({ data: { isBehind: false, skipped: 0 } }),

  open(socket) {
    watchers.add(socket)
  },

  drain(socket) {
    socket.data.isBehind = false
  },

  close(socket) {
    watchers.delete(socket)
  },

  http(_request, response) {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.end(page)
  },

  stop() {
    clearInterval(timer)
    shards.close()
  },
})
