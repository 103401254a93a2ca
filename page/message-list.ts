import { Announcer } from './announcer.js'
import { countBytes, grouped, toHex } from './bytes.js'
import { byId, create, onClick, say } from './dom.js'
import { type Entry, MessageLog } from './message-log.js'

/** Bytes of a message that its line has. */
const PREVIEW_BYTES = 160
/** Characters of a message that are said. */
const ANNOUNCED = 80
/** Lines that are there at a time. */
const MOST_LINES = 200

/** The list of messages, the latest on top. It is drawn once per frame of the screen, however many come. */
export class MessageList {
  readonly #log = new MessageLog()
  readonly #list = byId('messages')
  readonly #count = byId('message-count')
  readonly #empty = byId('no-messages')
  readonly #inspect: (entry: Entry) => void
  readonly #announcer = new Announcer(byId('message-news'))
  /** Not announced yet. */
  #news = 0
  /** Not drawn yet. */
  readonly #added: Entry[] = []
  #isDue = false

  /** @param inspect is told which message was clicked */
  constructor(inspect: (entry: Entry) => void) {
    this.#inspect = inspect
    onClick('clear-messages', () => {
      this.#log.clear()
      this.#added.length = 0
      this.#list.replaceChildren()
      this.#draw()
    })
  }

  add(entry: Entry): void {
    this.#log.add(entry)
    this.#added.push(entry)
    this.#news++
    this.#announcer.announce(() => this.#summary())
    // Of a flood only what can be seen is drawn.
    if (this.#added.length > MOST_LINES) this.#added.shift()
    if (this.#isDue) return
    this.#isDue = true
    requestAnimationFrame(() => this.#draw())
  }

  #draw(): void {
    this.#isDue = false
    for (const entry of this.#added.splice(0)) this.#list.prepend(this.#line(entry))
    const { entries, dropped } = this.#log
    while (this.#list.childElementCount > Math.min(MOST_LINES, entries.length)) {
      const oldest = this.#list.lastElementChild as HTMLElement
      const hadFocus = oldest.contains(document.activeElement)
      oldest.remove()
      if (hadFocus) this.#list.querySelector('button')?.focus()
    }
    const hidden = dropped + entries.length - this.#list.childElementCount
    this.#empty.hidden = entries.length > 0
    say(
      this.#count,
      entries.length === 0
        ? undefined
        : `${grouped(entries.length + dropped)} in all${hidden === 0 ? '' : `, the oldest ${grouped(hidden)} not shown`}`,
    )
  }

  /** For those who do not see the list: the latest message, and how many came with it. */
  #summary(): string {
    const { entries } = this.#log
    const latest = entries[entries.length - 1]
    const count = this.#news
    this.#news = 0
    if (latest === undefined) return ''
    const text = `${latest.direction} ${latest.kind}, ${countBytes(latest.size)}: ${previewOf(latest).slice(0, ANNOUNCED)}`
    return count === 1 ? text : `${grouped(count)} messages, the latest: ${text}`
  }

  #line(entry: Entry): HTMLElement {
    const { direction, kind, size, time } = entry
    const preview = previewOf(entry)
    const button = create(
      'button',
      {
        type: 'button',
        class: `message ${direction}`,
        'aria-label': `${direction} ${kind}, ${countBytes(size)}, at ${timeOf(time)}: ${preview}. Open in the frame inspector`,
      },
      create('span', { class: 'time' }, timeOf(time)),
      create('span', { class: 'way' }, direction === 'sent' ? '↑' : '↓'),
      create('span', { class: 'kind' }, kind),
      create('span', { class: 'size' }, `${grouped(size)} B`),
      create('span', { class: 'preview' }, preview),
    )
    button.addEventListener('click', () => this.#inspect(entry))
    return create('li', {}, button)
  }
}

/** The beginning of a message in a line. */
export function previewOf({ kind, data, size }: Entry): string {
  const bytes = data.subarray(0, PREVIEW_BYTES)
  if (kind === 'close') {
    if (bytes.length < 2) return 'no code'
    return `${(bytes[0] << 8) | bytes[1]} ${new TextDecoder().decode(bytes.subarray(2))}`.trim()
  }
  const shown = kind === 'text' ? PREVIEW_BYTES : PREVIEW_BYTES / 4
  const isCut = size > shown
  // With `stream` a character that is cut is left out.
  const text =
    kind === 'text'
      ? new TextDecoder().decode(bytes, { stream: isCut })
      : toHex(bytes.subarray(0, PREVIEW_BYTES / 4))
  return `${text === '' ? '(empty)' : text}${isCut ? ' …' : ''}`
}

/** `14:02:07.123`. */
function timeOf(ms: number): string {
  const date = new Date(ms)
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()]
  const fraction = String(date.getMilliseconds()).padStart(3, '0')
  return `${parts.map(part => String(part).padStart(2, '0')).join(':')}.${fraction}`
}
