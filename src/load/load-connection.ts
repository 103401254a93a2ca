import { randomBytes } from 'node:crypto'
import { createConnection, type Socket } from 'node:net'
import type { Codec } from '../codec/codec.js'
import {
  EVENT_ERROR,
  EVENT_FIN,
  EVENT_FRAME_END,
  EVENT_OPCODE,
  EVENT_WHOLE,
  EVENT_WORDS,
} from '../codec/events.js'
import {
  type Registry,
  type SocketReader,
  SocketTransport,
  takeHandle,
} from '../connection/socket-transport.js'
import type { Transport, TransportOwner } from '../connection/transport.js'
import { acceptKey } from '../handshake/accept.js'
import { Opcode, VERSION } from '../rfc6455.js'
import type { Traffic } from './traffic.js'

/** A message's content is compared when its number is a multiple of this; its length always is. */
const SAMPLE = 64
/** Bytes of a response head; a longer one is an error. */
const MOST_HEAD = 16 * 1024
/** The target does not count its connections, so there is nothing to tell. */
const NOBODY: Registry = { ended() {} }

/** What a load run's connections tell the run. */
export interface LoadConnectionOwner {
  readonly url: URL
  readonly codec: Codec
  readonly reader: SocketReader
  readonly traffic: Traffic
  readonly protocols: readonly string[]
  /** The opening handshake is done. */
  opened(connection: LoadConnection): void
  /** `count` messages have come back. */
  returned(connection: LoadConnection, count: number, bytes: number): void
  /** A message came back that is not what was sent. */
  mismatched(): void
  /** The connection has ended, by itself or by `end`. */
  ended(connection: LoadConnection, error: string | undefined): void
}

/**
 * One client connection of a load run: the opening handshake, then whole batches of encoded frames out and counted
 * frames in, decoded by the codec in the client role.
 */
export class LoadConnection implements TransportOwner {
  /** Messages sent whose answer is not here yet. */
  inFlight = 0
  readonly #owner: LoadConnectionOwner
  #transport: Transport | undefined
  #slot = -1
  #key = ''
  #head = ''
  #open = false
  #closing = false
  #error: string | undefined
  #frames = 0
  /** Bytes of the message that is coming in. */
  #length = 0
  /** Bytes that are to be sent; all frames are of one length, so the next byte's place follows from it. */
  #owed = 0
  /** Where in the batch the next byte is. */
  #position = 0
  #writing = false

  constructor(owner: LoadConnectionOwner) {
    this.#owner = owner
  }

  connect(): void {
    const { hostname, port } = this.#owner.url
    const host = hostname.replace(/^\[|\]$/g, '')
    const socket = createConnection({ host, port: port === '' ? 80 : Number(port), noDelay: true })
    socket.once('error', error => this.#owner.ended(this, error.message))
    socket.once('connect', () => {
      socket.removeAllListeners()
      this.#begin(socket)
    })
  }

  /** Sends `count` messages. */
  send(count: number): void {
    this.inFlight += count
    this.#owed += count * this.#owner.traffic.frameLength
    if (!this.#writing) this.#write()
  }

  /** Ends the connection; `ended` follows. */
  end(): void {
    this.#closing = true
    this.#transport?.destroy()
  }

  receive(length: number): void {
    const { codec } = this.#owner
    if (this.#open) this.#decode(codec.readOffset, length)
    else this.#receiveHead(codec.readOffset, length)
  }

  receiveEnd(): void {
    this.#transport?.destroy()
  }

  written(): void {
    this.#writing = false
    this.#write()
  }

  closed(): void {
    if (this.#slot >= 0) this.#owner.codec.release(this.#slot)
    this.#slot = -1
    const error = this.#error ?? (this.#closing ? undefined : 'the server ended the connection')
    this.#owner.ended(this, error)
  }

  #begin(socket: Socket): void {
    const { codec, reader, traffic, url, protocols } = this.#owner
    this.#slot = codec.acquire('client', Math.max(traffic.payload.length, 1 << 20), 2 ** 32 - 1)
    const transport = new SocketTransport({ handle: takeHandle(socket) }, reader, this, 0, NOBODY)
    this.#transport = transport
    this.#key = randomBytes(16).toString('base64')
    const offer = protocols.length === 0 ? '' : `Sec-WebSocket-Protocol: ${protocols.join(', ')}\r\n`
    const request = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${this.#key}\r\nSec-WebSocket-Version: ${VERSION}\r\n${offer}\r\n`
    this.#writing = true
    transport.writeLater(Buffer.from(request, 'latin1'))
  }

  #receiveHead(offset: number, length: number): void {
    this.#head += this.#owner.codec.memory.latin1Slice(offset, offset + length)
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) {
      if (this.#head.length > MOST_HEAD) this.#fail('the response has no end')
      return
    }
    const rest = this.#head.length - end - 4
    const head = this.#head.slice(0, end)
    this.#head = ''
    if (!head.startsWith('HTTP/1.1 101 '))
      return this.#fail(`the server answered ${head.split('\r\n', 1)[0]}`)
    const accept = /^sec-websocket-accept:[ \t]*(\S+)[ \t]*$/im.exec(head)?.[1]
    if (accept !== acceptKey(this.#key)) return this.#fail('Sec-WebSocket-Accept is wrong')
    this.#open = true
    this.#owner.opened(this)
    if (rest > 0) this.#decode(offset + length - rest, rest)
  }

  #decode(offset: number, length: number): void {
    const { codec, traffic } = this.#owner
    const { events } = codec
    const size = traffic.payload.length
    let at = offset
    let returned = 0
    for (let rest = length; ; ) {
      const count = codec.decode(this.#slot, rest, at)
      for (let i = 0; i < count; i++) {
        const word = events[i * EVENT_WORDS] as number
        const start = events[i * EVENT_WORDS + 1] as number
        const bytes = events[i * EVENT_WORDS + 2] as number
        const opcode = word & EVENT_OPCODE
        if (opcode === traffic.opcode) {
          this.#length += bytes
          if ((word & EVENT_FRAME_END) === 0 || (word & EVENT_FIN) === 0) continue
          if (this.#length !== size) this.#owner.mismatched()
          else if (++this.#frames % SAMPLE === 0 && (word & EVENT_WHOLE) === EVENT_WHOLE) {
            if (traffic.payload.compare(codec.memory, start, start + bytes) !== 0) this.#owner.mismatched()
          }
          this.#length = 0
          returned++
        } else if (opcode === EVENT_ERROR) return this.#fail('the server breaks RFC 6455')
        else if (opcode === Opcode.CLOSE) {
          const code = bytes >= 2 ? codec.memory.readUInt16BE(start) : 1005
          return this.#fail(`the server closed with ${code}`)
        } else if (opcode < Opcode.CLOSE) this.#owner.mismatched()
      }
      const consumed = codec.consumed()
      if (consumed >= rest) break
      at += consumed
      rest -= consumed
    }
    this.inFlight -= returned
    this.#owner.returned(this, returned, length)
  }

  #write(): void {
    const { batch, frameLength } = this.#owner.traffic
    const transport = this.#transport as Transport
    while (this.#owed > 0) {
      if (this.#position === batch.length) this.#position = 0
      const end = Math.min(batch.length, this.#position + this.#owed)
      const taken = transport.writeNow(batch, this.#position, end)
      const rest = end - this.#position - taken
      this.#owed -= taken
      this.#position += taken
      if (rest > 0) {
        this.#writing = true
        this.#owed -= rest
        transport.writeLater(batch.subarray(this.#position, end))
        this.#position = end
        return
      }
    }
    // What was sent ends with a frame: begin with the first one again, which is in the processor's cache.
    if (this.#position % frameLength === 0) this.#position = 0
  }

  #fail(error: string): void {
    this.#error ??= error
    this.#transport?.destroy()
  }
}
