import { AcceptSteps } from './accept-steps.js'
import { type Choice, Choices } from './choices.js'
import { byId, create, onClick, say } from './dom.js'
import { speak } from './field-notes.js'
import { type HeadLine, headerIn, parseHead } from './head-lines.js'
import { noteOnLine, type Side } from './header-notes.js'
import { NotePanel } from './note-panel.js'

/** The subprotocol of a connection that is told its own handshake: src/built-in/handshake-mirror.ts. */
const PROTOCOL = 'shardws.handshake'
const SIDES = ['request', 'response'] as const
const HINT = 'Choose a line: point at it, touch it, or use the arrow keys.'

/** The view of an opening handshake, which the server of the page has to tell since the browser does not. */
export class HandshakeView {
  readonly #address: string
  readonly #panel = new NotePanel(byId('line-note'))
  readonly #steps = new AcceptSteps()
  readonly #choices: Choices
  #lines: Record<string, readonly HeadLine[]> = {}
  #chosen: Choice | undefined
  #isBegun = false

  /** @param address of the server that brought the page */
  constructor(address: string) {
    this.#address = address
    this.#choices = new Choices(byId('heads'), {
      chosen: choice => {
        this.#chosen = choice
        this.#showChosen()
      },
      pointed: choice => this.#showLine(choice),
    })
    this.#panel.clear(HINT)
    onClick('shake', () => this.#shake())
  }

  /** The view is shown: the first time there is a handshake. */
  begin(): void {
    if (this.#isBegun) return
    this.#isBegun = true
    this.#shake()
  }

  #shake(): void {
    const socket = new WebSocket(this.#address, PROTOCOL)
    let isOpen = false
    let isTold = false
    this.#say(`Connecting to ${this.#address}`)
    socket.addEventListener('open', () => {
      isOpen = true
    })
    socket.addEventListener('message', ({ data }: MessageEvent<string>) => {
      isTold = true
      const { request, response } = JSON.parse(data) as { request: string; response: string }
      this.#show(request, response)
      this.#say(`A connection to ${this.#address} was opened for this, and is closed again.`)
    })
    socket.addEventListener('close', () => {
      if (isTold) return
      this.#say(
        isOpen
          ? `The server at ${this.#address} did not tell. It tells only its own page, under the address that it is asked for by; a proxy between may have changed that.`
          : `No connection to ${this.#address}: the server may have ended, or refuse this one.`,
        true,
      )
    })
  }

  #show(request: string, response: string): void {
    byId('heads').hidden = false
    byId('shake').textContent = 'Another one'
    this.#lines = { request: parseHead(request), response: parseHead(response) }
    for (const side of SIDES) {
      byId(side).replaceChildren(...this.#lines[side].map((line, index) => drawLine(line, index, side)))
    }
    this.#chosen = undefined
    this.#choices.refresh(undefined)
    this.#showChosen()
    this.#steps.take(
      headerIn(request, 'sec-websocket-key') ?? '',
      headerIn(response, 'sec-websocket-accept') ?? '',
    )
  }

  #showChosen(): void {
    if (this.#chosen === undefined) this.#panel.clear(HINT)
    else this.#showLine(this.#chosen)
  }

  #showLine({ list, index }: Choice): void {
    const note = noteOnLine(this.#lines[list][index], list as Side)
    this.#panel.show(note, note.kind)
  }

  #say(text: string, isFault = false): void {
    const status = byId('shake-status')
    say(status, text)
    status.classList.toggle('fault', isFault)
  }
}

function drawLine(line: HeadLine, index: number, side: Side): HTMLElement {
  const note = noteOnLine(line, side)
  return create(
    'div',
    {
      role: 'option',
      'data-choice': String(index),
      'aria-label': speak(note),
      'data-kind': note.kind,
    },
    ...(line.name === undefined
      ? [line.text]
      : [create('b', {}, line.name), line.text.slice(line.name.length)]),
    create('span', { class: 'line-end', 'aria-hidden': 'true' }, '\\r\\n'),
  )
}
