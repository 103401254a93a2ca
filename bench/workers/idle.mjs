// Opens connections and keeps them open, until it is ended.
import { open } from './client.mjs'
import { onTask } from './task.mjs'

const AT_ONCE = 100
/** A client address has fewer free ports than there may be connections. */
const PER_ADDRESS = 10_000

onTask(async ({ port, connections, warmup }, tell) => {
  const first = await Promise.all(Array.from({ length: warmup }, () => open({ port })))
  for (const socket of first) socket.destroy()
  tell({ warm: true })
  const sockets = []
  await new Promise(resolve => {
    process.once('message', resolve)
  })
  for (let begun = 0; begun < connections; ) {
    const batch = []
    for (let i = 0; i < AT_ONCE && begun < connections; i++, begun++) {
      const localAddress = `127.0.1.${1 + Math.floor(begun / PER_ADDRESS)}`
      batch.push(open({ port, localAddress }))
    }
    sockets.push(...(await Promise.all(batch)))
  }
  if (sockets.some(socket => socket.destroyed)) throw new Error('the server closed some of the connections')
  tell({ open: sockets.length })
})
