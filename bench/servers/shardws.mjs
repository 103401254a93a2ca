// shardws, as it is built in ../../dist.
import { readFileSync } from 'node:fs'
import { serve } from '../../dist/index.js'
import { announce, MOST_BYTES, task } from './announce.mjs'

// The shards' own environment is a copy of this one.
process.env.BENCH_SPINS = String(task.spins)
const { takesOver, ...deflate } = task.deflate ?? {}
const server = await serve({
  port: 0,
  host: '127.0.0.1',
  workers: task.shards,
  app: new URL(`./apps/${task.mode}.mjs`, import.meta.url),
  path: task.path,
  maxPayload: MOST_BYTES,
  perMessageDeflate: task.deflate !== undefined && {
    threshold: 0,
    serverNoContextTakeover: !takesOver,
    clientNoContextTakeover: !takesOver,
    ...deflate,
  },
  maxBackpressure: MOST_BYTES,
  // All clients come from one address.
  maxHandshakeRatePerIp: 0,
  logLevel: 'warn',
})
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
announce(server.address().port, version)
