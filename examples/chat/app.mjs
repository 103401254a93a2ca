// A chat with rooms. Whoever connects says who and where: ws://localhost:9000/?name=Ada&room=tea
//
//   npm start -- examples/chat/app.mjs      then open http://localhost:9000 in two windows
import { readFileSync } from 'node:fs'
import { BroadcastChannel } from 'node:worker_threads'
import { defineApp } from 'shardws'

const LONGEST_NAME = 32
const page = readFileSync(new URL('index.html', import.meta.url))

/** By name of the room: the sockets that this shard has in it. The other shards have theirs. */
const rooms = new Map()

const shards = new BroadcastChannel('chat')
shards.addEventListener('message', ({ data }) => deliver(data.room, data.text))

function deliver(room, text) {
  for (const socket of rooms.get(room) ?? []) socket.send(text)
}

/** A channel does not hear itself, so this shard's own sockets are served directly. */
function tell(room, text) {
  deliver(room, text)
  shards.postMessage({ room, text })
}

export default defineApp({
  upgrade(request) {
    const query = new URLSearchParams(request.url.split('?', 2)[1])
    const name = query.get('name') ?? ''
    const room = query.get('room') ?? 'lobby'
    if (name === '' || name.length > LONGEST_NAME || room.length > LONGEST_NAME) {
      return { status: 400, body: `Give a name of 1 to ${LONGEST_NAME} characters: /?name=Ada&room=tea\n` }
    }
    return { data: { name, room } }
  },

  open(socket) {
    const { name, room } = socket.data
    if (!rooms.has(room)) rooms.set(room, new Set())
    rooms.get(room).add(socket)
    tell(room, `* ${name} came`)
  },

  message(socket, data, isBinary) {
    if (isBinary) return socket.close(1003, 'this is a chat: text only')
    tell(socket.data.room, `${socket.data.name}: ${String(data)}`)
  },

  close(socket) {
    const { name, room } = socket.data
    const sockets = rooms.get(room)
    sockets.delete(socket)
    // Anybody can open a room: an empty one must not stay for ever.
    if (sockets.size === 0) rooms.delete(room)
    tell(room, `* ${name} left`)
  },

  http(_request, response) {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.end(page)
  },

  stop() {
    shards.close()
  },
})
