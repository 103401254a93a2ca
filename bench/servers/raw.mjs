// The bound: what Node's sockets cost when nothing is decoded. After a minimal opening handshake the bytes that come
// go back as they are, read into one shared buffer and written to the descriptor directly. A broadcast sends them to
// everybody. The frames that come back are masked as they were: the load generator takes them for what they are.
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { createServer, Socket } from 'node:net'
import { announce, task } from './announce.mjs'
import { spin, warmUp } from './work.mjs'

warmUp(task.spins)

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const KEY = /\r\nsec-websocket-key: (.*)\r\n/i
const buffer = Buffer.alloc(65_536)
const connections = new Set()

class Connection {
  #handle
  #socket
  #open = false

  constructor(handle) {
    this.#handle = handle
    const callback = length => {
      this.#receive(length)
      return true
    }
    this.#socket = new Socket({ handle, onread: { buffer, callback } })
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => connections.delete(this))
  }

  write(length) {
    let taken = 0
    try {
      if (this.#socket.writableLength === 0) taken = writeSync(this.#handle.fd, buffer, 0, length)
    } catch (error) {
      if (error.code !== 'EAGAIN') return this.#socket.destroy()
    }
    if (taken < length) this.#socket.write(Buffer.from(buffer.subarray(taken, length)))
  }

  #receive(length) {
    if (!this.#open) return this.#accept(length)
    if (task.spins > 0) spin(task.spins)
    if (task.mode === 'echo') this.write(length)
    else for (const connection of connections) connection.write(length)
  }

  #accept(length) {
    this.#open = true
    const [, key] = KEY.exec(buffer.latin1Slice(0, length))
    const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64')
    this.#socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
  }
}

const server = createServer({ pauseOnConnect: true, noDelay: true }, socket => {
  const handle = socket._handle
  socket._handle = null
  connections.add(new Connection(handle))
})
server.listen(0, '127.0.0.1', 1000, () => announce(server.address().port, process.versions.node))
