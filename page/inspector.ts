import type { FrameCodec, Role } from '../src/codec/index.js'
import { type BytesForm, countBytes, hexOf, parseBytes, toBase64, toHex } from './bytes.js'
import { ChoiceList } from './choice-list.js'
import { byId, create, say } from './dom.js'
import { type Example, examplesOf } from './examples.js'
import { drawFrame, type Part } from './frame-drawing.js'
import { type FrameLayout, layoutStream, type StreamLayout, windowOf } from './frame-layout.js'
import { NotePanel } from './note-panel.js'
import { drawPayload } from './payload-table.js'
import { type SharedFrame, serializeRoute } from './route.js'
import { decodeUpTo, describeFrame, describeMessage, placeOf } from './stepping.js'

/** Bytes that are looked at; what is pasted beyond them is cut off. */
const MOST_BYTES = 65_536 + 14
/** Frames that are drawn at a time. */
const MOST_FRAMES = 8
/** Messages that are listed. */
const MOST_YIELDED = 12

const HINT = 'Choose a field of a frame: point at it, touch it, or use the arrow keys.'

/** The view that draws frames bit by bit, and what the decoder makes of them byte by byte. */
export class Inspector {
  readonly #codec: FrameCodec
  readonly #changed: (frame: SharedFrame) => void
  readonly #examples: readonly Example[]
  readonly #input = byId('bytes', HTMLTextAreaElement)
  readonly #form = byId('bytes-form', HTMLSelectElement)
  readonly #slider = byId('position', HTMLInputElement)
  readonly #frames = byId('frames', HTMLElement)
  readonly #panel = new NotePanel(byId('field-note', HTMLElement))
  readonly #narrow = matchMedia('(max-width: 760px)')
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array()
  #layout: StreamLayout
  /** What is chosen: a part of the drawing of a frame. */
  #chosen: { readonly frame: number; readonly choice: number; readonly part: Part } | undefined
  /** Of the frames that are drawn. */
  readonly #lists = new Map<number, ChoiceList>()

  /** @param changed is told what is looked at now */
  constructor(codec: FrameCodec, changed: (frame: SharedFrame) => void) {
    this.#codec = codec
    this.#changed = changed
    this.#examples = examplesOf(codec)
    this.#layout = layoutStream(codec, this.#bytes, 'server')
    this.#panel.clear(HINT)
    this.#listExamples()
    this.#listen()
  }

  /** Shows the first example, unless something is shown. */
  begin(): void {
    if (this.#bytes.length > 0 || this.#input.value !== '') return
    this.show(this.#examples[0])
  }

  /** @param source where the bytes come from, if that has to be said */
  show({ role, bytes }: SharedFrame, source?: string): void {
    byId(role === 'server' ? 'as-server' : 'as-client', HTMLInputElement).checked = true
    this.#form.value = 'detect'
    this.#input.value = toHex(bytes.subarray(0, MOST_BYTES))
    say(byId('bytes-source', HTMLElement), source)
    this.#read()
  }

  get shared(): SharedFrame {
    return { role: this.#role, bytes: this.#bytes }
  }

  get #role(): Role {
    return byId('as-client', HTMLInputElement).checked ? 'client' : 'server'
  }

  #listExamples(): void {
    const select = byId('example', HTMLSelectElement)
    for (const [index, { name }] of this.#examples.entries()) {
      select.append(create('option', { value: String(index) }, name))
    }
    select.addEventListener('change', () => {
      const example = this.#examples[Number(select.value)]
      if (select.value !== '') this.show(example)
      select.value = ''
    })
  }

  #listen(): void {
    const edited = (): void => {
      say(byId('bytes-source', HTMLElement), undefined)
      this.#read()
    }
    this.#input.addEventListener('input', edited)
    for (const id of ['as-server', 'as-client'])
      byId(id, HTMLInputElement).addEventListener('change', () => this.#read())
    this.#form.addEventListener('change', () => this.#convert())
    this.#slider.addEventListener('input', () => this.#draw())
    for (const [id, by] of [
      ['step-back', -1],
      ['step', 1],
    ] as const) {
      byId(id, HTMLButtonElement).addEventListener('click', () => {
        this.#slider.valueAsNumber += by
        this.#draw()
      })
    }
    this.#narrow.addEventListener('change', () => this.#draw())
  }

  /** Writes the bytes in the form that was chosen. */
  #convert(): void {
    const form = this.#form.value as BytesForm | 'detect'
    if (form === 'detect' || !('bytes' in parseBytes(this.#input.value))) return this.#read()
    this.#input.value = form === 'hex' ? toHex(this.#bytes) : toBase64(this.#bytes)
    this.#read()
  }

  #read(): void {
    const form = this.#form.value as BytesForm | 'detect'
    const parsed = parseBytes(this.#input.value, form === 'detect' ? undefined : form)
    const isRight = 'bytes' in parsed
    say(byId('bytes-fault', HTMLElement), isRight ? undefined : parsed.fault)
    if (isRight) this.#input.removeAttribute('aria-invalid')
    else {
      this.#input.setAttribute('aria-invalid', 'true')
      return
    }
    this.#bytes = parsed.bytes.slice(0, MOST_BYTES)
    const cut = parsed.bytes.length - this.#bytes.length
    byId('bytes-count', HTMLElement).textContent = `${countBytes(this.#bytes.length)}, read as ${
      parsed.form === 'hex' ? 'hexadecimal' : 'base64'
    }${cut > 0 ? `; ${countBytes(cut)} more are left out` : ''}`
    this.#layout = layoutStream(this.#codec, this.#bytes, this.#role)
    this.#slider.max = String(this.#bytes.length)
    this.#slider.valueAsNumber = this.#bytes.length
    this.#chosen = undefined
    this.#panel.clear(HINT)
    this.#draw()
    const link = serializeRoute({ view: 'inspector', shared: this.shared })
    byId('share', HTMLAnchorElement).href = link
    byId('share', HTMLAnchorElement).hidden = link === '#inspector'
    this.#changed(this.shared)
  }

  #draw(): void {
    const position = this.#slider.valueAsNumber
    const { frames, violation, unread } = this.#layout
    const isEnd = position === this.#bytes.length
    const focus = !isEnd ? Math.max(0, position - 1) : (violation?.offset ?? 0)
    this.#drawYield(position)
    const at = Math.max(
      0,
      frames.findIndex(frame => focus < frame.end),
    )
    const shown = windowOf(frames.length, at, MOST_FRAMES)
    this.#lists.clear()
    const elements = frames
      .slice(shown.begin, shown.end)
      .map((frame, index) => this.#drawFrame(frame, shown.begin + index, position, focus))
    if (shown.end - shown.begin < frames.length) {
      const text = `Frames ${shown.begin + 1} to ${shown.end} of ${frames.length.toLocaleString('en-US')}; the slider brings others.`
      elements.unshift(create('p', { class: 'quiet' }, text))
    }
    if (unread > 0)
      elements.push(create('p', { class: 'quiet' }, `${countBytes(unread)} follow, which nobody reads.`))
    this.#frames.replaceChildren(...elements)
  }

  #drawFrame(frame: FrameLayout, index: number, position: number, focus: number): HTMLElement {
    const name = `Frame ${index + 1}`
    const width = this.#narrow.matches ? 16 : 32
    const context = { bytes: this.#bytes, position, focus, width, role: this.#role }
    const { element, parts } = drawFrame(frame, `Fields of frame ${index + 1}`, context)
    element.id = `frame-${index}`
    const list = new ChoiceList(element, parts.length, {
      chosen: choice => this.#choose(index, choice, parts[choice]),
      pointed: choice => this.#showPart(index, parts[choice]),
      left: () => this.#showChosen(),
    })
    this.#lists.set(index, list)
    if (this.#chosen?.frame === index && this.#chosen.choice < parts.length) list.mark(this.#chosen.choice)
    const { violation } = frame
    const faults =
      violation !== undefined && position > violation.offset
        ? [faultOf(this.#bytes, violation.offset, violation.error, placeOf(this.#layout, violation.offset))]
        : []
    const payloadAt = frame.offset + frame.headerLength
    const table = drawPayload(frame, position - payloadAt, focus - payloadAt, width / 2)
    return create(
      'section',
      { class: 'frame', 'aria-label': name },
      create('h3', {}, name, create('span', { class: 'facts' }, describeFrame(frame, position))),
      ...faults,
      element,
      ...(table === undefined ? [] : [table]),
    )
  }

  #choose(frame: number, choice: number, part: Part): void {
    this.#chosen = { frame, choice, part }
    for (const [other, list] of this.#lists) if (other !== frame) list.mark(-1)
    this.#showChosen()
  }

  #showChosen(): void {
    if (this.#chosen === undefined) this.#panel.clear(HINT)
    else this.#showPart(this.#chosen.frame, this.#chosen.part)
  }

  #showPart(frame: number, { kind, note, start, bits }: Part): void {
    const layout = this.#layout.frames[frame]
    const more = bits === 1 ? [this.#flipButton(layout.offset * 8 + start)] : []
    this.#panel.show(note, kind, ...more)
  }

  #flipButton(bit: number): HTMLElement {
    const button = create('button', { type: 'button' }, 'Flip this bit')
    button.addEventListener('click', () => {
      const chosen = this.#chosen
      const bytes = this.#bytes.slice()
      bytes[bit >> 3] ^= 0x80 >> (bit & 7)
      this.show({ role: this.#role, bytes })
      // The same field again, with what it is now.
      if (chosen !== undefined) this.#lists.get(chosen.frame)?.choose(chosen.choice)
      byId('field-note', HTMLElement).querySelector('button')?.focus()
    })
    return button
  }

  #drawYield(position: number): void {
    const { before, now } = decodeUpTo(this.#codec, this.#bytes, position, this.#role)
    const count = this.#bytes.length
    byId('step-back', HTMLButtonElement).disabled = position === 0
    byId('step', HTMLButtonElement).disabled = position === count
    const place =
      position === 0
        ? 'Nothing is pushed yet.'
        : `Byte ${position.toLocaleString('en-US')} of ${count.toLocaleString('en-US')} is 0x${hexOf(this.#bytes[position - 1])}, ${placeOf(this.#layout, position - 1)}.`
    byId('pushed', HTMLElement).textContent = place
    const yields = now.map(message => ` It yields ${describeMessage(message)}.`)
    this.#slider.setAttribute('aria-valuetext', place + yields.join(''))
    const all = [
      ...before.map(message => ({ message, isNow: false })),
      ...now.map(message => ({ message, isNow: true })),
    ]
    const items = all
      .slice(-MOST_YIELDED)
      .map(({ message, isNow }) =>
        create(
          'li',
          { class: `${message.type === 'error' ? 'fault' : ''}${isNow ? ' now' : ''}`.trim() },
          describeMessage(message),
          ...(isNow ? [create('span', { class: 'tag' }, 'with this byte')] : []),
        ),
      )
    if (all.length > items.length) {
      items.unshift(create('li', { class: 'quiet' }, `${all.length - items.length} before these`))
    }
    if (items.length === 0) items.push(create('li', { class: 'quiet' }, 'nothing so far'))
    byId('yielded', HTMLElement).replaceChildren(...items)
  }
}

function faultOf(
  bytes: Uint8Array,
  offset: number,
  error: { code: string; message: string; closeCode: number },
  place: string,
): HTMLElement {
  return create(
    'p',
    { class: 'fault' },
    create('strong', {}, error.code),
    ` at offset ${offset} of the stream, 0x${hexOf(bytes[offset] ?? 0)}, ${place}: ${error.message}. The connection is closed with ${error.closeCode}.`,
  )
}
