// ws on one thread or, with more than one shard, as a node:cluster of as many processes.
import cluster from 'node:cluster'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { WebSocketServer } from 'ws'
import { announce, MOST_BYTES, task } from './announce.mjs'
import { spin, warmUp } from './work.mjs'

warmUp(task.spins)

const { version } = createRequire(import.meta.url)('ws/package.json')

if (task.shards > 1 && cluster.isPrimary) {
  const workers = Array.from({ length: task.shards }, () => cluster.fork())
  const addresses = await Promise.all(workers.map(worker => once(worker, 'listening')))
  announce(
    addresses[0][0].port,
    version,
    workers.map(worker => worker.process.pid),
  )
} else {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    path: task.path,
    perMessageDeflate: task.deflate !== undefined && {
      threshold: 0,
      serverNoContextTakeover: !task.deflate.takesOver,
      clientNoContextTakeover: !task.deflate.takesOver,
    },
    maxPayload: MOST_BYTES,
  })
  server.on('connection', socket => {
    socket.on('message', (data, binary) => {
      if (task.spins > 0) spin(task.spins)
      if (task.mode === 'echo') socket.send(data, { binary })
      else for (const client of server.clients) client.send(data, { binary })
    })
    socket.on('error', () => {})
  })
  await once(server, 'listening')
  if (cluster.isPrimary) announce(server.address().port, version)
}
