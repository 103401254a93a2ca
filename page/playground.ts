import { type FrameCodec, isValidCloseCode } from '../src/codec/index.js'
import { parseAddress, parseSubprotocols } from './address.js'
import { parseBytes } from './bytes.js'
import { Connection, type ConnectionState } from './connection.js'
import { byId, say } from './dom.js'
import { MessageList } from './message-list.js'
import { type EncodedEntry, type Entry, encodeEntry, entryOf } from './message-log.js'
import { drawRoundTrips, formatMs } from './round-trip-plot.js'
import { RoundTrips } from './round-trips.js'

/** Between two measurements, in milliseconds. */
const PROBE_MS = 1000
/** RFC 6455 5.5.1: a control frame has 125 bytes, two of them are the code. */
const MOST_REASON_BYTES = 123

/** The view that connects, sends and shows what comes. */
export class Playground {
  readonly #codec: FrameCodec
  readonly #inspect: (frame: EncodedEntry) => void
  readonly #connection: Connection
  readonly #list: MessageList
  readonly #trips = new RoundTrips()
  readonly #address = byId('address', HTMLInputElement)
  readonly #payload = byId('payload', HTMLTextAreaElement)
  readonly #connectFault = byId('connect-fault', HTMLElement)
  readonly #sendFault = byId('send-fault', HTMLElement)
  readonly #closeFault = byId('close-fault', HTMLElement)
  readonly #plot = byId('plot', SVGSVGElement)
  readonly #probing = byId('probing', HTMLInputElement)
  #timer: ReturnType<typeof setInterval> | undefined

  /** @param inspect shows a frame in the inspector */
  constructor(codec: FrameCodec, address: string, inspect: (frame: EncodedEntry) => void) {
    this.#codec = codec
    this.#inspect = inspect
    this.#list = new MessageList(entry => this.#open(entry))
    this.#address.value = address
    this.#connection = new Connection({
      stateChanged: (state, text) => this.#showState(state, text),
      received: data => this.#receive(data),
      ended: (code, reason, wasOpen) => this.#ended(code, reason, wasOpen),
    })
  }

  begin(): void {
    this.#listen()
    this.#showState('closed', 'Not connected')
    this.#showTrips()
  }

  #listen(): void {
    onSubmit('connect-form', () => this.#connect())
    onSubmit('send-form', () => this.#send())
    onSubmit('close-form', () => this.#close())
    onClick('send-ping', () => this.#sendPing())
    onClick('retry', () => this.#connection.retryNow())
    onClick('stop', () => this.#connection.close())
    onClick('measure', () => this.#probe())
    const reconnect = byId('reconnect', HTMLInputElement)
    reconnect.addEventListener('change', () => {
      this.#connection.reconnects = reconnect.checked
      if (!reconnect.checked && this.#connection.state === 'waiting') this.#connection.close()
    })
    this.#connection.reconnects = reconnect.checked
    this.#probing.addEventListener('change', () => this.#showProbing())
    this.#payload.addEventListener('keydown', event => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
      event.preventDefault()
      this.#send()
    })
  }

  #connect(): void {
    const parsed = parseAddress(this.#address.value)
    if ('fault' in parsed) return this.#refuse(this.#connectFault, this.#address, parsed.fault)
    const protocols = parseSubprotocols(byId('subprotocols', HTMLInputElement).value)
    try {
      this.#connection.open(parsed.url, protocols)
      accept(this.#connectFault, this.#address)
    } catch (error) {
      // The browser's own words: it forbids ws: from a page over https:, and subprotocols that are no tokens.
      this.#refuse(this.#connectFault, this.#address, (error as Error).message)
    }
  }

  #send(): void {
    const text = this.#payload.value
    if (byId('as-text', HTMLInputElement).checked) return this.#sendMessage(text)
    const parsed = parseBytes(text, 'hex')
    if ('fault' in parsed) this.#refuse(this.#sendFault, this.#payload, parsed.fault)
    else this.#sendMessage(parsed.bytes)
  }

  #sendPing(): void {
    this.#trips.pinged(performance.now())
    this.#sendMessage('PING')
  }

  #sendMessage(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.#connection.state !== 'open') {
      this.#refuse(this.#sendFault, this.#payload, 'Not connected: there is nobody to send it to')
      return
    }
    accept(this.#sendFault, this.#payload)
    this.#connection.send(data)
    this.#list.add(entryOf('sent', data, Date.now()))
  }

  #close(): void {
    const code = byId('close-code', HTMLInputElement)
    const reason = byId('close-reason', HTMLInputElement)
    const number = code.value.trim() === '' ? undefined : Number(code.value)
    if (number !== undefined && number !== 1000 && !(number >= 3000 && isValidCloseCode(number))) {
      return this.#refuse(this.#closeFault, code, 'Browsers send 1000 and 3000 to 4999 only')
    }
    const payload = new TextEncoder().encode(reason.value)
    if (payload.length > MOST_REASON_BYTES) {
      return this.#refuse(this.#closeFault, reason, `A reason has at most ${MOST_REASON_BYTES} bytes`)
    }
    accept(this.#closeFault, code)
    accept(this.#closeFault, reason)
    const wasOpen = this.#connection.state === 'open'
    this.#connection.close(number, number === undefined ? undefined : reason.value)
    if (wasOpen) this.#list.add(closeEntry('sent', number ?? 1005, number === undefined ? '' : reason.value))
  }

  #receive(data: string | ArrayBuffer): void {
    if (typeof data === 'string') {
      const answer = this.#trips.receive(data, performance.now())
      if (answer !== undefined) this.#showTrips()
      if (answer === 'probe') return
      this.#list.add(entryOf('received', data, Date.now()))
    } else this.#list.add(entryOf('received', new Uint8Array(data), Date.now()))
  }

  #ended(code: number, reason: string, wasOpen: boolean): void {
    this.#trips.forget()
    // 1006 is no Close frame but the lack of one.
    if (wasOpen && code !== 1006) this.#list.add(closeEntry('received', code, reason))
  }

  #open(entry: Entry): void {
    const frame = encodeEntry(this.#codec, entry)
    if (frame !== undefined) this.#inspect(frame)
  }

  #showState(state: ConnectionState, text: string): void {
    const { activeElement } = document
    const status = byId('status', HTMLElement)
    status.dataset.state = state
    status.textContent = text
    const isOpen = state === 'open'
    byId('connect', HTMLButtonElement).hidden = state !== 'closed'
    byId('retry', HTMLButtonElement).hidden = state !== 'waiting'
    byId('stop', HTMLButtonElement).hidden = state !== 'waiting' && state !== 'connecting'
    this.#address.readOnly = state !== 'closed'
    for (const id of ['send', 'send-ping', 'close', 'measure']) byId(id, HTMLButtonElement).disabled = !isOpen
    if (isOpen) accept(this.#sendFault, this.#payload)
    keepFocus(activeElement)
    this.#showProbing()
  }

  #showProbing(): void {
    clearInterval(this.#timer)
    if (!this.#probing.checked || this.#connection.state !== 'open') return
    this.#probe()
    this.#timer = setInterval(() => this.#probe(), PROBE_MS)
  }

  #probe(): void {
    if (this.#connection.state !== 'open') return
    const text = this.#trips.begin(performance.now())
    if (text !== undefined) this.#connection.send(text)
    this.#showTrips()
  }

  #showTrips(): void {
    const { summary, lost } = this.#trips
    drawRoundTrips(this.#plot, this.#trips)
    byId('trip-last', HTMLElement).textContent = summary === undefined ? '–' : formatMs(summary.last)
    byId('trip-median', HTMLElement).textContent = summary === undefined ? '–' : formatMs(summary.median)
    byId('trip-range', HTMLElement).textContent =
      summary === undefined ? '–' : `${formatMs(summary.least)} to ${formatMs(summary.most)}`
    say(
      byId('trip-lost', HTMLElement),
      lost === 0 ? undefined : `${lost} without an answer: not every server echoes`,
    )
  }

  #refuse(place: HTMLElement, input: HTMLElement, text: string): void {
    say(place, text)
    input.setAttribute('aria-invalid', 'true')
    input.focus()
  }
}

/** The button that was pressed may be gone now: what follows from it gets the focus. */
function keepFocus(focused: Element | null): void {
  if (!(focused instanceof HTMLButtonElement) || !focused.hidden) return
  const buttons = ['connect', 'stop', 'send'].map(id => byId(id, HTMLButtonElement))
  buttons.find(button => !button.hidden && !button.disabled)?.focus()
}

/** The opposite of refusing what stands in an input. */
function accept(place: HTMLElement, input: HTMLElement): void {
  say(place, undefined)
  input.removeAttribute('aria-invalid')
}

function closeEntry(direction: Entry['direction'], code: number, reason: string): Entry {
  const text = new TextEncoder().encode(reason)
  const data = code === 1005 ? new Uint8Array() : Uint8Array.of(code >> 8, code & 255, ...text)
  return { direction, kind: 'close', time: Date.now(), size: data.length, data }
}

function onSubmit(id: string, act: () => void): void {
  byId(id, HTMLFormElement).addEventListener('submit', event => {
    event.preventDefault()
    act()
  })
}

function onClick(id: string, act: () => void): void {
  byId(id, HTMLButtonElement).addEventListener('click', act)
}
