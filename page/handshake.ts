import { AcceptSteps } from './accept-steps.js'
import { ChoiceList } from './choice-list.js'
import { byId, create, say } from './dom.js'
import { type HeadLine, headerIn, parseHead } from './head-lines.js'
import { noteOnLine } from './header-notes.js'
import { NotePanel } from './note-panel.js'

/** The subprotocol of a connection that is told its own handshake: src/built-in/handshake-mirror.ts. */
const PROTOCOL = 'shardws.handshake'
const HINT = 'Choose a line: point at it, touch it, or use the arrow keys.'

/** The view of an opening handshake, which the server of the page has to tell since the browser does not. */
export class HandshakeView {
  readonly #address: string
  readonly #panel = new NotePanel(byId('line-note', HTMLElement))
  readonly #steps = new AcceptSteps()
  /** Of each head, so that only one line is chosen. */
  readonly #lists: Record<string, ChoiceList> = {}
  #showChosen = (): void => this.#panel.clear(HINT)
  #isBegun = false

  /** @param address of the server that brought the page */
  constructor(address: string) {
    this.#address = address
    this.#panel.clear(HINT)
    byId('shake', HTMLButtonElement).addEventListener('click', () => this.#shake())
  }

  /** The view is shown: the first time there is a handshake. */
  begin(): void {
    if (this.#isBegun) return
    this.#isBegun = true
    this.#shake()
  }

  #shake(): void {
    const socket = new WebSocket(this.#address, PROTOCOL)
    let isTold = false
    this.#say(`Connecting to ${this.#address}`)
    socket.addEventListener('message', ({ data }: MessageEvent<string>) => {
      isTold = true
      const { request, response } = JSON.parse(data) as { request: string; response: string }
      this.#show(request, response)
      this.#say(`A connection to ${this.#address} was opened for this, and is closed again.`)
    })
    socket.addEventListener('close', () => {
      if (!isTold)
        this.#say(
          `The server at ${this.#address} did not tell. It tells only its own page, under the address that it is asked for by; a proxy between may have changed that.`,
          true,
        )
    })
  }

  #show(request: string, response: string): void {
    this.#showChosen = () => this.#panel.clear(HINT)
    this.#showChosen()
    this.#showHead('request', parseHead(request))
    this.#showHead('response', parseHead(response))
    this.#steps.take(
      headerIn(request, 'sec-websocket-key') ?? '',
      headerIn(response, 'sec-websocket-accept') ?? '',
    )
  }

  #showHead(id: 'request' | 'response', lines: readonly HeadLine[]): void {
    // A new list each time: the listeners of the old one go with it.
    const list = create('div', { id, class: 'head', role: 'listbox', 'aria-label': `Lines of the ${id}` })
    list.append(
      ...lines.map((line, index) => {
        const note = noteOnLine(line, id)
        return create(
          'div',
          {
            role: 'option',
            'data-choice': String(index),
            'aria-selected': 'false',
            'aria-label': `${note.title}: ${note.value}. ${note.text}`,
            'data-kind': note.kind,
          },
          ...(line.name === undefined
            ? [line.text]
            : [create('b', {}, line.name), line.text.slice(line.name.length)]),
          create('span', { class: 'line-end', 'aria-hidden': 'true' }, '\\r\\n'),
        )
      }),
    )
    byId(id, HTMLElement).replaceWith(list)
    const show = (index: number): void => {
      const note = noteOnLine(lines[index], id)
      this.#panel.show(note, note.kind)
    }
    this.#lists[id] = new ChoiceList(list, lines.length, {
      chosen: index => {
        this.#lists[id === 'request' ? 'response' : 'request']?.mark(-1)
        this.#showChosen = () => show(index)
        show(index)
      },
      pointed: show,
      left: () => this.#showChosen(),
    })
  }

  #say(text: string, isFault = false): void {
    const status = byId('shake-status', HTMLElement)
    say(status, text)
    status.classList.toggle('fault', isFault)
  }
}
