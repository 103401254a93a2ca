// Opens connections and keeps them open, until it is ended.
import { open, smallFrame } from './client.mjs'
import { onTask } from './task.mjs'

const AT_ONCE = 100
/** A client address has fewer free ports than there may be connections, and finding one takes longer the fewer are left. */
const PER_ADDRESS = 2000

const PING = 0x9
const PONG = smallFrame(0xa, [])

/** A connection that says nothing but that it is there: opening the last may take longer than servers wait for that. */
async function openIdle(to) {
  const socket = await open(to, bytes => {
    if ((bytes[0] & 0x0f) === PING) socket.write(PONG)
  })
  return socket
}

const told = () => new Promise(resolve => process.once('message', resolve))

onTask(async ({ port, connections, warmup }, tell) => {
  const first = await Promise.all(Array.from({ length: warmup }, () => openIdle({ port })))
  for (const socket of first) socket.destroy()
  tell({ warm: true })
  const sockets = []
  await told()
  for (let begun = 0; begun < connections; ) {
    const batch = []
    for (let i = 0; i < AT_ONCE && begun < connections; i++, begun++) {
      const localAddress = `127.0.1.${1 + Math.floor(begun / PER_ADDRESS)}`
      batch.push(openIdle({ port, localAddress }))
    }
    sockets.push(...(await Promise.all(batch)))
  }
  if (sockets.some(socket => socket.destroyed)) throw new Error('the server closed some of the connections')
  tell({ open: sockets.length })
  await told()
  // Closed with FIN their ports would stay taken for a minute, and the next server's turn would last longer for it.
  for (const socket of sockets) socket.resetAndDestroy()
  tell({ open: 0 })
})
