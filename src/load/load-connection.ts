import { randomBytes } from 'node:crypto'
import { createConnection, type Socket } from 'node:net'
import type { Codec } from '../codec/codec.js'
import { EVENT_ERROR, EVENT_FIN, EVENT_FRAME_END, EVENT_OPCODE, EVENT_WORDS } from '../codec/events.js'
import { type Registry, type SocketReader, SocketTransport } from '../connection/socket-transport.js'
import type { Transport, TransportOwner } from '../connection/transport.js'
import { acceptKey } from '../handshake/accept.js'
import { CloseCode, Opcode, VERSION } from '../rfc6455.js'
import { takeHandle } from '../tcp-handle.js'
import type { LoadOptions } from './load-options.js'
import { TimeQueue } from './time-queue.js'
import { maskedFrame, type Traffic } from './traffic.js'

/** The content of a connection's first message and of every 64th is compared; the length of each is. */
const SAMPLE = 64
/** Bytes of a response head; a longer one is an error. */
const MOST_HEAD = 16 * 1024
/** Pongs that wait for a batch to leave; a server that pings faster gets one for several (RFC 6455 5.5.3). */
const MOST_PONGS = 4
/** The target does not count its connections, so there is nothing to tell. */
const NOBODY: Registry = { ended() {} }

/** What a load run's connections tell the run. */
export interface LoadConnectionOwner {
  readonly options: LoadOptions
  readonly codec: Codec
  readonly reader: SocketReader
  readonly traffic: Traffic
  /** The opening handshake is done. */
  opened(connection: LoadConnection): void
  /** `bytes` have come, and with them the rest of `count` messages, which may be 0. */
  returned(connection: LoadConnection, count: number, bytes: number): void
  /** A message came back that is not what was sent, or came unasked. */
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
  /** When each message under way was sent, or should have been; with a rate also those that wait to be sent. */
  readonly times: TimeQueue
  /** When it was last heard of, or got something to answer. */
  heard = performance.now()
  readonly #owner: LoadConnectionOwner
  #socket: Socket | undefined
  #transport: Transport | undefined
  #slot = -1
  #key = ''
  #head = ''
  #open = false
  #ending = false
  #error: string | undefined
  #frames = 0
  /** Bytes of the message that is coming in. */
  #length = 0
  #changed = false
  /** Bytes that are to be sent; all frames are of one length, so the next byte's place follows from it. */
  #owed = 0
  /** Where in the batch the next byte is. */
  #position = 0
  #writing = false
  #pongs: Buffer[] = []

  constructor(owner: LoadConnectionOwner) {
    this.#owner = owner
    this.times = new TimeQueue(owner.options.pipelining)
  }

  connect(): void {
    const { hostname, port } = this.#owner.options.url
    const host = hostname.replace(/^\[|\]$/g, '')
    const socket = createConnection({ host, port: port === '' ? 80 : Number(port), noDelay: true })
    this.#socket = socket
    socket.once('error', error => {
      this.#error = error.message
    })
    socket.once('close', () => this.#owner.ended(this, this.#ending ? undefined : this.#error))
    socket.once('connect', () => {
      socket.removeAllListeners()
      this.#begin(socket)
    })
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Sends `count` messages. */
  send(count: number): void {
    this.inFlight += count
    this.#owed += count * this.#owner.traffic.frameLength
    if (!this.#writing) this.#write()
  }

  /**
   * Cuts the connection; `ended` follows.
   *
   * @param error why, where that is the server's fault
   */
  end(error?: string): void {
    this.#error ??= error
    this.#ending = this.#error === undefined
    if (this.#transport === undefined) this.#socket?.destroy()
    else this.#transport.destroy()
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
    const error = this.#error ?? (this.#ending ? undefined : 'the server ended the connection')
    this.#owner.ended(this, error)
  }

  #begin(socket: Socket): void {
    const { codec, reader, traffic, options } = this.#owner
    const { url, protocols, headers, mirrored } = options
    const most = Math.max(traffic.payload.length, 1 << 20)
    this.#slot = codec.acquire(mirrored ? 'server' : 'client', most, 2 ** 32 - 1)
    const transport = new SocketTransport(takeHandle(socket), reader, this, 0, NOBODY)
    this.#transport = transport
    this.#key = randomBytes(16).toString('base64')
    const lines = [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${this.#key}`,
      `Sec-WebSocket-Version: ${VERSION}`,
      ...(protocols.length === 0 ? [] : [`Sec-WebSocket-Protocol: ${protocols.join(', ')}`]),
      ...headers,
    ]
    this.#writing = true
    transport.writeLater(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'))
  }

  #receiveHead(offset: number, length: number): void {
    this.#head += this.#owner.codec.memory.latin1Slice(offset, offset + length)
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) {
      if (this.#head.length > MOST_HEAD) this.end('the response has no end')
      return
    }
    const rest = this.#head.length - end - 4
    const head = this.#head.slice(0, end)
    this.#head = ''
    if (!head.startsWith('HTTP/1.1 101 ')) return this.end(`the server answered ${head.split('\r\n', 1)[0]}`)
    const accept = /^sec-websocket-accept:[ \t]*(\S+)[ \t]*$/im.exec(head)?.[1]
    if (accept !== acceptKey(this.#key)) return this.end('Sec-WebSocket-Accept is wrong')
    this.#open = true
    this.#owner.opened(this)
    if (rest > 0) this.#decode(offset + length - rest, rest)
  }

  #decode(offset: number, length: number): void {
    const { codec, traffic } = this.#owner
    const { events } = codec
    let at = offset
    let returned = 0
    for (let rest = length; ; ) {
      const count = codec.decode(this.#slot, rest, at)
      for (let i = 0; i < count; i++) {
        const word = events[i * EVENT_WORDS]
        const start = events[i * EVENT_WORDS + 1]
        const bytes = events[i * EVENT_WORDS + 2]
        const opcode = word & EVENT_OPCODE
        if (opcode >= Opcode.CLOSE) {
          if (!this.#control(opcode, start, bytes)) return
          continue
        }
        if (opcode !== traffic.opcode) this.#changed = true
        else if (this.#frames % SAMPLE === 0) this.#compare(start, bytes)
        this.#length += bytes
        if ((word & EVENT_FRAME_END) === 0 || (word & EVENT_FIN) === 0) continue
        if (this.#endMessage(returned)) returned++
      }
      const consumed = codec.consumed()
      if (consumed >= rest) break
      at += consumed
      rest -= consumed
    }
    this.inFlight -= returned
    this.#owner.returned(this, returned, length)
  }

  #compare(start: number, bytes: number): void {
    const { codec, traffic } = this.#owner
    const end = this.#length + bytes
    if (end > traffic.payload.length) return
    const difference = traffic.payload.compare(codec.memory, start, start + bytes, this.#length, end)
    if (difference !== 0) this.#changed = true
  }

  /** @returns whether the message is an answer, not one more than was asked for */
  #endMessage(returned: number): boolean {
    const isAnswer = returned < this.inFlight
    if (this.#changed || this.#length !== this.#owner.traffic.payload.length || !isAnswer) {
      this.#owner.mismatched()
    }
    this.#length = 0
    this.#changed = false
    this.#frames++
    return isAnswer
  }

  /** @returns false when the connection has ended with it */
  #control(opcode: number, start: number, bytes: number): boolean {
    const { memory } = this.#owner.codec
    switch (opcode) {
      case EVENT_ERROR:
        this.end('the server breaks RFC 6455')
        return false
      case Opcode.CLOSE:
        this.end(`the server closed with ${bytes >= 2 ? memory.readUInt16BE(start) : CloseCode.NO_STATUS}`)
        return false
      case Opcode.PING:
        if (this.#pongs.length === MOST_PONGS) this.#pongs.shift()
        this.#pongs.push(maskedFrame(Opcode.PONG, memory.subarray(start, start + bytes)))
        if (!this.#writing) this.#write()
    }
    return true
  }

  /** Called between two frames only. */
  #write(): void {
    const { batch, frameLength } = this.#owner.traffic
    const transport = this.#transport as Transport
    if (this.#pongs.length > 0) {
      const pongs = Buffer.concat(this.#pongs)
      this.#pongs = []
      this.#writing = true
      return transport.writeLater(pongs)
    }
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
}
