import { type FrameCodec, isValidCloseCode } from '../src/codec/index.js'
import { parseAddress, parseSubprotocols } from './address.js'
import { parseBytes } from './bytes.js'
import { Connection, type ConnectionState } from './connection.js'
import { byId, disable, isDisabled, onClick, say } from './dom.js'
import type { Sample } from './frame-layout.js'
import { MessageList } from './message-list.js'
import { type Entry, encodeEntry, entryOf, originOf } from './message-log.js'
import { PAINT_MS, RoundTripCard } from './round-trip-card.js'

/** RFC 6455 5.5.1: a control frame has 125 bytes, two of them are the code. */
const MOST_REASON_BYTES = 123

/** The view that connects, sends and shows what comes. */
export class Playground {
  readonly #ownAddress: string
  readonly #connection: Connection
  readonly #list: MessageList
  readonly #trips = new RoundTripCard(
    () => this.#connection.canSend,
    text => this.#sendProbe(text),
  )
  readonly #address = byId('address', HTMLInputElement)
  readonly #subprotocols = byId('subprotocols', HTMLInputElement)
  readonly #payload = byId('payload', HTMLTextAreaElement)
  readonly #connectFault = byId('connect-fault')
  readonly #sendFault = byId('send-fault')
  readonly #closeFault = byId('close-fault')

  /**
   * @param address of the server that brought the page
   * @param inspect shows a message in the inspector; `source` says where it comes from
   */
  constructor(codec: FrameCodec, address: string, inspect: (sample: Sample, source: string) => void) {
    this.#ownAddress = address
    this.#list = new MessageList(entry => inspect(encodeEntry(codec, entry), originOf(entry)))
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
    this.#trips.meet(true)
  }

  #listen(): void {
    onSubmit('connect-form', () => this.#connect())
    onSubmit('send-form', () => this.#send())
    onSubmit('close-form', () => this.#close())
    onClick('send-ping', () => this.#sendPing())
    onClick('stop', () => this.#connection.stop())
    onClick('disconnect', () => this.#closeWith(1000, ''))
    const reconnect = byId('reconnect', HTMLInputElement)
    reconnect.addEventListener('change', () => {
      this.#connection.reconnects = reconnect.checked
      if (!reconnect.checked && this.#connection.state === 'waiting') this.#connection.stop()
    })
    this.#connection.reconnects = reconnect.checked
    this.#payload.addEventListener('keydown', event => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
      event.preventDefault()
      this.#send()
    })
  }

  #connect(): void {
    const address = parseAddress(this.#address.value, this.#ownAddress)
    const subprotocols = parseSubprotocols(this.#subprotocols.value)
    accept(this.#connectFault, this.#address, this.#subprotocols)
    if ('fault' in address) return refuse(this.#connectFault, this.#address, address.fault)
    if ('fault' in subprotocols) return refuse(this.#connectFault, this.#subprotocols, subprotocols.fault)
    if (address.url !== this.#connection.url) this.#trips.meet(address.url === this.#ownAddress)
    try {
      this.#connection.open(address.url, subprotocols.names)
    } catch (error) {
      // The browser's own words: it forbids ws: from a page over https:.
      refuse(this.#connectFault, this.#address, (error as Error).message)
    }
  }

  #send(): void {
    const text = this.#payload.value
    if (byId('as-text', HTMLInputElement).checked) return this.#sendMessage(text)
    const { bytes, fault } = parseBytes(text, 'hex')
    if (fault !== undefined) refuse(this.#sendFault, this.#payload, fault)
    else this.#sendMessage(bytes)
  }

  #sendPing(): void {
    // It is measured as well: what the click changes is painted first.
    setTimeout(() => {
      if (!this.#connection.canSend) return
      this.#trips.pinged()
      this.#sendMessage('PING')
    }, PAINT_MS)
  }

  #sendProbe(text: string): void {
    this.#connection.send(text)
    if (this.#trips.isListed) this.#list.add(entryOf('sent', text, Date.now()))
  }

  #sendMessage(data: string | Uint8Array<ArrayBuffer>): void {
    if (!this.#connection.canSend) {
      refuse(this.#sendFault, this.#payload, 'Not connected: there is nobody to send it to')
      return
    }
    accept(this.#sendFault, this.#payload)
    this.#connection.send(data)
    this.#list.add(entryOf('sent', data, Date.now()))
  }

  #close(): void {
    const code = byId('close-code', HTMLInputElement)
    const reason = byId('close-reason', HTMLInputElement)
    accept(this.#closeFault, code, reason)
    if (this.#connection.state !== 'open') {
      return refuse(this.#closeFault, code, 'Not connected: there is nothing to close')
    }
    const entered = code.value.trim()
    // `1e3` is no way to write a code.
    const number = entered === '' ? undefined : /^\d+$/.test(entered) ? Number(entered) : Number.NaN
    if (number === undefined && reason.value !== '') {
      return refuse(this.#closeFault, code, 'A reason needs a code before it (RFC 6455, section 5.5.1)')
    }
    if (number !== undefined && number !== 1000 && !(number >= 3000 && isValidCloseCode(number))) {
      return refuse(this.#closeFault, code, 'Browsers send 1000 and 3000 to 4999 only')
    }
    if (new TextEncoder().encode(reason.value).length > MOST_REASON_BYTES) {
      return refuse(this.#closeFault, reason, `A reason has at most ${MOST_REASON_BYTES} bytes`)
    }
    this.#closeWith(number, reason.value)
  }

  #closeWith(code: number | undefined, reason: string): void {
    this.#connection.close(code, code === undefined ? undefined : reason)
    this.#list.add(closeEntry('sent', code ?? 1005, reason))
  }

  #receive(data: string | ArrayBuffer): void {
    if (typeof data === 'string') {
      const isProbe = this.#trips.receive(data)
      if (!isProbe || this.#trips.isListed) this.#list.add(entryOf('received', data, Date.now()))
    } else this.#list.add(entryOf('received', new Uint8Array(data), Date.now()))
  }

  #ended(code: number, reason: string, wasOpen: boolean): void {
    // 1006 is no Close frame but the lack of one.
    if (wasOpen && code !== 1006) this.#list.add(closeEntry('received', code, reason))
  }

  #showState(state: ConnectionState, text: string): void {
    const { activeElement } = document
    const status = byId('status')
    status.dataset.state = state
    status.textContent = text
    const isOpen = state === 'open'
    const mayConnect = state === 'closed' || state === 'waiting'
    const connect = byId('connect', HTMLButtonElement)
    connect.hidden = !mayConnect
    connect.textContent = state === 'waiting' ? 'Connect now' : 'Connect'
    byId('stop', HTMLButtonElement).hidden = state === 'closed' || isOpen
    byId('disconnect', HTMLButtonElement).hidden = !isOpen
    for (const input of [this.#address, this.#subprotocols]) input.readOnly = !mayConnect
    for (const id of ['send', 'send-ping', 'close']) disable(id, !isOpen)
    if (isOpen) {
      accept(this.#sendFault, this.#payload)
      accept(this.#closeFault, byId('close-code'), byId('close-reason'))
    }
    keepFocus(activeElement)
    this.#trips.turn(isOpen)
  }
}

/** The button that was pressed may be gone now: what follows from it gets the focus. */
function keepFocus(focused: Element | null): void {
  if (!(focused instanceof HTMLButtonElement) || !focused.hidden) return
  const buttons = ['connect', 'stop', 'send'].map(id => byId(id, HTMLButtonElement))
  buttons.find(button => !button.hidden && !isDisabled(button))?.focus()
}

/** Says what is wrong with what stands in an input. */
function refuse(place: HTMLElement, input: HTMLElement, text: string): void {
  say(place, text)
  input.setAttribute('aria-invalid', 'true')
  input.focus()
}

/** The opposite. */
function accept(place: HTMLElement, ...inputs: HTMLElement[]): void {
  say(place, undefined)
  for (const input of inputs) input.removeAttribute('aria-invalid')
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
