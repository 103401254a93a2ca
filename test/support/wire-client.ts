import { createHash } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { CLOSE, type Frame, frame, parseServerFrame, TEXT } from './frames.js'
import { LIMIT_MS } from './until.js'

/** How TCP ended: in order, or with a reset. */
export type Ending = 'fin' | 'reset'

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** An opening request. `lines` are added, or replace those of the same name. */
export function openingRequest(target = '/', lines: readonly string[] = [], method = 'GET'): string {
  const headers = new Map(
    [
      'Host: 127.0.0.1',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${KEY}`,
      'Sec-WebSocket-Version: 13',
      ...lines,
    ].map(line => [line.split(':', 1)[0]?.toLowerCase(), line]),
  )
  return `${[`${method} ${target} HTTP/1.1`, ...headers.values()].join('\r\n')}\r\n\r\n`
}

/** An HTTP response, head and body. */
export interface HttpResponse {
  status: number
  /** Names in lower case. */
  headers: Record<string, string>
  body: string
}

/**
 * A client made of bytes: sends whatever it is told to, and sees every byte and how TCP ends. It doesn't close by
 * itself when the server does.
 */
export class WireClient {
  readonly socket: Socket
  /** Everything after the handshake's response that was not taken yet. */
  #bytes = Buffer.alloc(0)
  #chunks: Buffer[] = []
  #ending: Ending | undefined
  #wake: (() => void) | undefined
  /** All bytes received, taken ones too. */
  received = 0

  /** Connects TCP; nothing is sent. With `paused` nothing is read before `socket.resume()`. */
  static async connect(port: number, paused = false): Promise<WireClient> {
    return WireClient.#over(connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }), paused)
  }

  /** As `connect`, from an address of this machine. */
  static async connectFrom(localAddress: string, port: number): Promise<WireClient> {
    const options = { port, host: '127.0.0.1', localAddress, allowHalfOpen: true, noDelay: true }
    return WireClient.#over(connect(options), false)
  }

  /** As `connect`, to a Unix domain socket. */
  static async connectUnix(path: string): Promise<WireClient> {
    return WireClient.#over(connect({ path, allowHalfOpen: true }), false)
  }

  /** Over a socket that is connected, one of TLS say. */
  static of(socket: Socket): WireClient {
    return new WireClient(socket)
  }

  static async #over(socket: Socket, paused: boolean): Promise<WireClient> {
    const client = new WireClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve())
      socket.once('error', reject)
    })
    if (paused) socket.pause()
    return client
  }

  /** Connects and completes the opening handshake. */
  static async open(port: number, target = '/'): Promise<WireClient> {
    const client = await WireClient.connect(port)
    client.send(openingRequest(target))
    await client.handshake()
    return client
  }

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.length
      this.#chunks.push(chunk)
      this.#changed()
    })
    socket.on('end', () => {
      this.#ending ??= 'fin'
      this.#changed()
    })
    // A reset after the FIN is seen too: it may have cost somebody the last bytes.
    socket.on('error', () => {
      this.#ending = 'reset'
      this.#changed()
    })
  }

  send(bytes: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes)
  }

  /** Sends text in one frame. */
  sendText(payload: string): void {
    this.send(frame(TEXT, payload))
  }

  /** Takes the response to the opening request, which must be a right 101. */
  async handshake(): Promise<HttpResponse> {
    const response = await this.response()
    const accept = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    if (response.status !== 101 || response.headers['sec-websocket-accept'] !== accept) {
      throw new Error(`no handshake: ${JSON.stringify(response)}`)
    }
    return response
  }

  /** Takes an HTTP response; its body is as long as Content-Length says, or up to the end where there is none. */
  async response(): Promise<HttpResponse> {
    const head = await this.#take('a response', bytes => {
      const end = bytes.indexOf('\r\n\r\n')
      return end < 0 ? undefined : { value: bytes.toString('latin1', 0, end), size: end + 4 }
    })
    const [statusLine = '', ...lines] = head.split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1])
    const headers = Object.fromEntries(
      lines.map(line => [line.split(':', 1)[0]?.toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    ) as Record<string, string>
    const length = Number(headers['content-length'] ?? 0)
    const body = await this.#take('a body', bytes =>
      bytes.length < length ? undefined : { value: bytes.toString('utf8', 0, length), size: length },
    )
    return { status, headers, body }
  }

  /** Takes the next frame. */
  frame(): Promise<Frame> {
    return this.#take('a frame', bytes => {
      const parsed = parseServerFrame(bytes)
      return parsed && { value: parsed.frame, size: parsed.size }
    })
  }

  /** Takes the next frame, which must be text. */
  async text(): Promise<string> {
    const { opcode, payload } = await this.frame()
    if (opcode !== TEXT) throw new Error(`text was expected, not ${opcode}: ${payload.toString('latin1')}`)
    return payload.toString()
  }

  /** Sends text, takes the answer. */
  ask(payload: string): Promise<string> {
    this.sendText(payload)
    return this.text()
  }

  /** Takes all frames up to the end of TCP. */
  async rest(): Promise<{ frames: Frame[]; ending: Ending }> {
    const ending = await this.ended()
    const frames: Frame[] = []
    while (this.#gather().length > 0) frames.push(await this.frame())
    return { frames, ending }
  }

  /** Takes what the server has to say up to the end of TCP, which must be a Close frame and FIN. */
  async closing(): Promise<{ code: number; reason: string; before: Frame[] }> {
    const { frames, ending } = await this.rest()
    const last = frames.pop()
    if (last?.opcode !== CLOSE || ending !== 'fin') {
      const seen = [...frames, last].map(seenFrame => seenFrame?.opcode)
      throw new Error(`Close and FIN were expected, not ${ending} after ${JSON.stringify(seen.slice(-10))}`)
    }
    const { payload } = last
    const code = payload.length < 2 ? 1005 : payload.readUInt16BE(0)
    return { code, reason: payload.toString('utf8', 2), before: frames }
  }

  /** Waits for the end of TCP. */
  ended(): Promise<Ending> {
    return this.#until('the end', () => this.#ending)
  }

  get ending(): Ending | undefined {
    return this.#ending
  }

  /** From now on what comes is read and thrown away. */
  ignore(): void {
    this.socket.removeAllListeners('data').resume()
  }

  /** Sends FIN. */
  end(): void {
    this.socket.end()
  }

  /** Sends a reset. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  #changed(): void {
    this.#wake?.()
  }

  #gather(): Buffer {
    if (this.#chunks.length > 0) {
      this.#bytes = Buffer.concat([this.#bytes, ...this.#chunks])
      this.#chunks = []
    }
    return this.#bytes
  }

  #take<T>(what: string, parse: (bytes: Buffer) => { value: T; size: number } | undefined): Promise<T> {
    return this.#until(what, () => {
      // What is there already comes first, so that a long backlog is not copied for each frame of it.
      const parsed = parse(this.#bytes) ?? parse(this.#gather())
      if (parsed === undefined) {
        if (this.#ending === undefined) return undefined
        const left = this.#bytes.toString('latin1', 0, 200)
        throw new Error(`TCP ended (${this.#ending}) before ${what}, after ${JSON.stringify(left)}`)
      }
      this.#bytes = this.#bytes.subarray(parsed.size)
      return parsed.value
    })
  }

  async #until<T>(what: string, look: () => T | undefined): Promise<T> {
    const end = performance.now() + LIMIT_MS
    for (;;) {
      const value = look()
      if (value !== undefined) return value
      const left = end - performance.now()
      if (left <= 0) throw new Error(`nothing after ${LIMIT_MS} ms: ${what}`)
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>(resolve => {
        this.#wake = resolve
        timer = setTimeout(resolve, left)
      })
      clearTimeout(timer)
    }
  }
}
