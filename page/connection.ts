import { backOffMs } from './back-off.js'

/** What happens to the connection. */
export interface ConnectionEvents {
  /** `text` is for the user. */
  stateChanged(state: ConnectionState, text: string): void
  received(data: string | ArrayBuffer): void
  /** It was open, or was to be. */
  ended(code: number, reason: string, wasOpen: boolean): void
}

export type ConnectionState = 'closed' | 'connecting' | 'open' | 'closing' | 'waiting'

/** A WebSocket that is opened again when it ends without having been asked to. */
export class Connection {
  /** Whether it is opened again. */
  reconnects = true
  readonly #events: ConnectionEvents
  #socket: WebSocket | undefined
  #state: ConnectionState = 'closed'
  #url = ''
  #protocols: readonly string[] = []
  #failures = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #isAsked = false

  constructor(events: ConnectionEvents) {
    this.#events = events
  }

  get state(): ConnectionState {
    return this.#state
  }

  /**
   * Connects, if there is no connection.
   *
   * @throws DOMException where the browser refuses the address or a subprotocol
   */
  open(url: string, protocols: readonly string[]): void {
    if (this.#socket !== undefined) return
    this.#url = url
    this.#protocols = protocols
    this.#failures = 0
    this.#connect()
  }

  /** @throws DOMException for a code that browsers do not send */
  close(code?: number, reason?: string): void {
    clearTimeout(this.#timer)
    if (this.#socket === undefined) {
      this.#isAsked = true
      this.#tell('closed', 'Not connected')
      return
    }
    this.#socket.close(code, reason)
    this.#isAsked = true
    this.#tell('closing', 'Closing')
  }

  /** Does not wait for the next attempt. */
  retryNow(): void {
    if (this.#state === 'waiting') this.#connect()
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket?.send(data)
  }

  #connect(): void {
    clearTimeout(this.#timer)
    const socket = new WebSocket(this.#url, [...this.#protocols])
    socket.binaryType = 'arraybuffer'
    this.#socket = socket
    this.#isAsked = false
    this.#tell('connecting', `Connecting to ${this.#url}`)
    let wasOpen = false
    socket.addEventListener('open', () => {
      wasOpen = true
      this.#failures = 0
      const protocol = socket.protocol === '' ? '' : `, subprotocol ${socket.protocol}`
      const extensions = socket.extensions === '' ? '' : `, ${socket.extensions}`
      this.#tell('open', `Connected to ${this.#url}${protocol}${extensions}`)
    })
    socket.addEventListener('message', ({ data }: MessageEvent<string | ArrayBuffer>) => {
      this.#events.received(data)
    })
    socket.addEventListener('close', ({ code, reason }) => {
      this.#socket = undefined
      this.#events.ended(code, reason, wasOpen)
      this.#goOn(code, wasOpen)
    })
  }

  #goOn(code: number, wasOpen: boolean): void {
    const what = wasOpen ? `Closed with ${code}` : 'No connection'
    if (this.#isAsked || !this.reconnects) return this.#tell('closed', what)
    const ms = backOffMs(this.#failures++, Math.random())
    this.#timer = setTimeout(() => this.#connect(), ms)
    this.#tell('waiting', `${what}, next attempt in ${(ms / 1000).toFixed(1)} s`)
  }

  #tell(state: ConnectionState, text: string): void {
    this.#state = state
    this.#events.stateChanged(state, text)
  }
}
