import { BackOff } from './back-off.js'

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
  readonly #backOff = new BackOff()
  #socket: WebSocket | undefined
  #state: ConnectionState = 'closed'
  #url = ''
  #protocols: readonly string[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #isAsked = false
  /** Whether the other end has once accepted what `open` was given. */
  #isKnown = false

  constructor(events: ConnectionEvents) {
    this.#events = events
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Where it connects to, or did last. */
  get url(): string {
    return this.#url
  }

  /**
   * Connects, if there is no connection; one that is waited for is given up.
   *
   * @throws DOMException where the browser refuses the address or a subprotocol; then all is as it was
   */
  open(url: string, protocols: readonly string[]): void {
    if (this.#socket !== undefined) return
    const socket = new WebSocket(url, [...protocols])
    this.#url = url
    this.#protocols = protocols
    this.#isKnown = false
    this.#backOff.reset()
    this.#use(socket)
  }

  /** @throws DOMException for a code that browsers do not send */
  close(code?: number, reason?: string): void {
    this.#socket?.close(code, reason)
    this.#isAsked = true
    this.#tell('closing', 'Closing')
  }

  /** There shall be no connection: nothing is waited for any more, not even the other end's Close. */
  stop(): void {
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#socket = undefined
    // A browser has no other way to let go of it.
    socket?.close()
    this.#tell('closed', 'Not connected')
  }

  /** Whether something can be sent: not any more as soon as the other end's Close is here, before the connection's end. */
  get canSend(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  /** Where it can be. */
  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket?.send(data)
  }

  #use(socket: WebSocket): void {
    clearTimeout(this.#timer)
    socket.binaryType = 'arraybuffer'
    this.#socket = socket
    this.#isAsked = false
    this.#tell('connecting', `Connecting to ${this.#url}`)
    let wasOpen = false
    const isCurrent = (): boolean => this.#socket === socket
    socket.addEventListener('open', () => {
      if (!isCurrent()) return
      wasOpen = true
      this.#isKnown = true
      this.#backOff.opened(performance.now())
      const protocol = socket.protocol === '' ? '' : `, subprotocol ${socket.protocol}`
      const extensions = socket.extensions === '' ? '' : `, ${socket.extensions}`
      this.#tell('open', `Connected to ${this.#url}${protocol}${extensions}`)
    })
    socket.addEventListener('message', ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (isCurrent()) this.#events.received(data)
    })
    socket.addEventListener('close', ({ code, reason }) => {
      if (!isCurrent()) return
      this.#socket = undefined
      this.#events.ended(code, reason, wasOpen)
      this.#goOn(code, wasOpen)
    })
  }

  #goOn(code: number, wasOpen: boolean): void {
    const what = wasOpen ? `Closed with ${code}` : 'No connection'
    // A browser does not say why; it takes no answer without one of those that it has offered (RFC 6455 4.1).
    const hint =
      this.#isKnown || this.#protocols.length === 0
        ? ''
        : `. Subprotocols were offered (${this.#protocols.join(', ')}): the other end may know none of them`
    if (this.#isAsked || !this.reconnects) return this.#tell('closed', what + hint)
    const ms = this.#backOff.ended(performance.now(), Math.random())
    // The browser has taken address and subprotocols once.
    this.#timer = setTimeout(() => this.#use(new WebSocket(this.#url, [...this.#protocols])), ms)
    this.#tell('waiting', `${what}, next attempt in ${(ms / 1000).toFixed(1)} s${hint}`)
  }

  #tell(state: ConnectionState, text: string): void {
    this.#state = state
    this.#events.stateChanged(state, text)
  }
}
