// Connections that have talked for a while, compressed, and are idle then; told to, all of them go and others come.
import { open } from './client.mjs'
import {
  agreementOf,
  compress,
  compressedFrame,
  conversation,
  FrameReader,
  offerOf,
} from './conversation.mjs'
import { onTask } from './task.mjs'

const AT_ONCE = 50

const told = () => new Promise(resolve => process.once('message', resolve))

onTask(async ({ port, connections, size, count, takesOver }, tell) => {
  const messages = conversation(size, count)
  const frames = new Map(
    [true, false].map(taken => [taken, compress(messages, taken).map(payload => compressedFrame(payload))]),
  )
  /** Opens a connection and has all messages echoed. */
  const talk = () =>
    new Promise((resolve, reject) => {
      const reader = new FrameReader()
      let said = 0
      let socket
      let agreed
      const say = () => socket.write(frames.get(agreed.clientTakesOver)[said++])
      const receive = bytes => {
        for (let ended = reader.take(bytes); ended > 0; ended--) {
          if (said < count) say()
          else resolve(socket)
        }
      }
      const onHead = head => {
        agreed = agreementOf(head)
      }
      open({ port }, receive, { extensions: offerOf(takesOver), onHead }).then(opened => {
        socket = opened
        say()
      }, reject)
    })

  for (;;) {
    const sockets = []
    while (sockets.length < connections) {
      sockets.push(...(await Promise.all(Array.from({ length: AT_ONCE }, talk))))
    }
    tell({ open: sockets.length })
    await told()
    if (sockets.some(socket => socket.destroyed)) throw new Error('the server closed some of the connections')
    for (const socket of sockets) socket.resetAndDestroy()
  }
})
