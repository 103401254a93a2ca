// One connection of an autocannon client, from its 101 on.
import {
  EVENT_ERROR,
  EVENT_FIN,
  EVENT_FRAME_END,
  EVENT_OPCODE,
  EVENT_WORDS,
} from '../../dist/codec/events.js'
import { acceptKey } from '../../dist/handshake/accept.js'
import { maskedFrame } from '../../dist/load/traffic.js'
import { Opcode } from '../../dist/rfc6455.js'

const MOST_HEAD = 16 * 1024
/** What a round trip is to autocannon: a request that succeeded. */
const OK = 200

export class Session {
  conn
  #client
  #codec
  #traffic
  #pipelining
  #key
  #slot
  #head = ''
  #open = false
  /** When the messages under way were sent or, with a rate, due. */
  #times = []
  #inFlight = 0
  /** What the client has sent and received on all its connections. */
  #totals
  /** Bytes of the message that is coming in, and whether it is another than was sent. */
  #length = 0
  #changed = false
  #timer

  constructor(conn, { client, codec, traffic, pipelining, key, totals }) {
    this.conn = conn
    this.#client = client
    this.#codec = codec
    this.#traffic = traffic
    this.#pipelining = pipelining
    this.#key = key
    this.#totals = totals
    this.#slot = codec.acquire('client', Math.max(traffic.payload.length, 1 << 20), 2 ** 32 - 1)
    conn.setNoDelay(true)
  }

  receive(chunk) {
    if (!this.#open) return this.#receiveHead(chunk)
    const { readArena } = this.#codec
    for (let at = 0; at < chunk.length && this.#slot >= 0; at += readArena.length) {
      const piece = chunk.subarray(at, at + readArena.length)
      readArena.set(piece)
      this.#decode(piece.length)
    }
  }

  /** Releases what it holds; the connection is autocannon's to end. */
  end() {
    clearInterval(this.#timer)
    if (this.#slot >= 0) this.#codec.release(this.#slot)
    this.#slot = -1
  }

  #receiveHead(chunk) {
    this.#head += chunk.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) {
      if (this.#head.length > MOST_HEAD) this.#fail('the response has no end')
      return
    }
    const head = this.#head.slice(0, end)
    const rest = this.#head.length - end - 4
    if (!head.startsWith('HTTP/1.1 101 '))
      return this.#fail(`the server answered ${head.split('\r\n', 1)[0]}`)
    const accept = /^sec-websocket-accept:[ \t]*(\S+)[ \t]*$/im.exec(head)?.[1]
    if (accept !== acceptKey(this.#key)) return this.#fail('Sec-WebSocket-Accept is wrong')
    this.#open = true
    this.#begin()
    if (rest > 0) this.receive(chunk.subarray(chunk.length - rest))
  }

  #begin() {
    const { rate } = this.#client
    if (!rate) return this.#send(this.#pipelining)
    // Due at a steady rate, whatever the server does; what may not be sent yet waits, and its time counts.
    const start = performance.now()
    let due = 0
    const look = () => {
      const now = performance.now()
      for (; start + (due * 1000) / rate <= now && this.#left() > 0; due++) {
        this.#times.push(start + (due * 1000) / rate)
      }
      this.#sendDue()
    }
    this.#timer = setInterval(look, 1)
    look()
  }

  #sendDue() {
    const count = Math.min(this.#times.length, this.#pipelining) - this.#inFlight
    if (count > 0) this.#write(count)
  }

  #send(count) {
    const now = performance.now()
    let allowed = 0
    for (; allowed < count && this.#left() > 0; allowed++) this.#times.push(now)
    this.#write(allowed)
  }

  /** How many messages more there may be: autocannon's `amount` and the like. */
  #left() {
    const { responseMax } = this.#client
    return responseMax ? responseMax - this.#totals.received - this.#times.length : Number.POSITIVE_INFINITY
  }

  #write(count) {
    const { batch, frameLength, frames } = this.#traffic
    for (let i = 0; i < count; i++) {
      // Autocannon has counted the first ones before there was a connection.
      if (this.#totals.sent++ >= this.#pipelining) this.#client.emit('request')
    }
    this.#inFlight += count
    for (let left = count; left > 0; left -= frames) {
      this.conn.write(batch.subarray(0, Math.min(left, frames) * frameLength))
    }
  }

  #decode(length) {
    const codec = this.#codec
    const { events } = codec
    let answers = 0
    for (let at = codec.readOffset, rest = length; rest > 0; ) {
      const count = codec.decode(this.#slot, rest, at)
      for (let i = 0; i < count; i++) {
        const [word, start, bytes] = events.subarray(i * EVENT_WORDS, (i + 1) * EVENT_WORDS)
        const opcode = word & EVENT_OPCODE
        if (opcode >= Opcode.CLOSE) {
          if (!this.#control(opcode, start, bytes)) return
          continue
        }
        this.#compare(opcode, start, bytes)
        if ((word & EVENT_FRAME_END) === 0 || (word & EVENT_FIN) === 0) continue
        if (this.#inFlight === answers) return this.#fail('a message came unasked')
        this.#endMessage()
        answers++
        if (this.#slot < 0) return
      }
      const consumed = codec.consumed()
      at += consumed
      rest -= consumed
    }
    if (answers === 0) return
    this.#inFlight -= answers
    this.#client.timeoutTicker.reschedule(this.#client.timeout)
    if (this.#client.rate) this.#sendDue()
    else this.#send(answers)
  }

  #compare(opcode, start, bytes) {
    const { payload, opcode: expected } = this.#traffic
    const end = this.#length + bytes
    this.#changed ||=
      opcode !== expected ||
      end > payload.length ||
      payload.compare(this.#codec.memory, start, start + bytes, this.#length, end) !== 0
    this.#length = end
  }

  #endMessage() {
    const { payload } = this.#traffic
    const client = this.#client
    const us = (performance.now() - this.#times.shift()) * 1000
    client.emit('response', OK, this.#length, us)
    if (this.#changed || this.#length !== payload.length) client.emit('mismatch', `${this.#length} bytes`)
    this.#length = 0
    this.#changed = false
    if (++this.#totals.received === client.responseMax) client.destroy()
  }

  #control(opcode, start, bytes) {
    const { memory } = this.#codec
    if (opcode === EVENT_ERROR) return this.#fail('the server breaks RFC 6455')
    if (opcode === Opcode.CLOSE) {
      return this.#fail(`the server closed with ${bytes >= 2 ? memory.readUInt16BE(start) : 1005}`)
    }
    if (opcode === Opcode.PING) {
      this.conn.write(maskedFrame(Opcode.PONG, memory.subarray(start, start + bytes)))
    }
    return true
  }

  /** Autocannon counts an error and connects again. */
  #fail(reason) {
    this.end()
    this.conn.destroy(new Error(reason))
    return false
  }
}
