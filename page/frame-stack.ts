import { countBytes, grouped } from './bytes.js'
import { type Choice, Choices } from './choices.js'
import { byId, create } from './dom.js'
import { drawFrame, type Part, payloadPart } from './frame-drawing.js'
import { type FrameLayout, type Sample, type StreamLayout, windowOf } from './frame-layout.js'
import { NotePanel } from './note-panel.js'
import { drawPayload } from './payload-table.js'
import { describeFault, describeFrame } from './stepping.js'

/** Frames that are drawn at a time. */
const MOST_FRAMES = 8
/** Behind the number of a frame it is the list of the bytes in its table. */
const TABLE = '-table'
const HINT = 'Choose a field of a frame: point at it, touch it, or use the arrow keys.'

/** What is drawn. */
export interface Scene {
  readonly sample: Sample
  readonly layout: StreamLayout
  /** Bytes of the stream that the decoder has got. */
  readonly position: number
  /** The byte of the stream that should be seen; without it the fault, or the beginning. */
  readonly focus: number | undefined
  /** Whether bits may be flipped. */
  readonly isEditable: boolean
}

const NOTHING: Scene = {
  sample: { role: 'server', bytes: new Uint8Array() },
  layout: { frames: [], violation: undefined, isClosed: false, unread: 0 },
  position: 0,
  focus: undefined,
  isEditable: false,
}

/** The frames around a byte, one below the other, and the note on the field that is chosen. */
export class FrameStack {
  readonly #root = byId('frames')
  readonly #panel = new NotePanel(byId('field-note'))
  readonly #choices: Choices
  readonly #flip: (bit: number) => void
  readonly #narrow = matchMedia('(max-width: 760px)')
  #scene = NOTHING
  /** By frame, those that are drawn. */
  readonly #parts = new Map<string, readonly Part[]>()
  #chosen: Choice | undefined

  /** @param flip is told which bit of the stream shall be another */
  constructor(flip: (bit: number) => void) {
    this.#flip = flip
    this.#choices = new Choices(this.#root, {
      chosen: choice => {
        this.#chosen = choice
        this.#showChosen()
      },
      pointed: choice => this.#show(choice),
    })
    this.#narrow.addEventListener('change', () => this.draw(this.#scene))
    this.#panel.clear(HINT)
  }

  /** What is chosen; it may be given to another drawing. */
  get chosen(): Choice | undefined {
    return this.#chosen
  }

  set chosen(choice: Choice | undefined) {
    const isThere = choice !== undefined && this.#partOf(choice) !== undefined
    this.#chosen = isThere ? choice : undefined
    this.#choices.refresh(this.#chosen)
    this.#showChosen()
  }

  draw(scene: Scene): void {
    this.#scene = scene
    const { frames, isClosed, unread } = scene.layout
    const focus = scene.focus ?? scene.layout.violation?.offset ?? 0
    const found = frames.findIndex(frame => focus < frame.end)
    // Behind the last frame is what nobody reads.
    const at = found === -1 ? Math.max(0, frames.length - 1) : found
    const shown = windowOf(frames.length, at, MOST_FRAMES)
    this.#parts.clear()
    const elements = frames
      .slice(shown.begin, shown.end)
      .map((frame, index) => this.#drawFrame(frame, shown.begin + index, focus))
    if (shown.end - shown.begin < frames.length) {
      const text = `Frames ${grouped(shown.begin + 1)} to ${grouped(shown.end)} of ${grouped(frames.length)}; the slider brings others.`
      elements.unshift(create('p', { class: 'quiet' }, text))
    }
    if (unread > 0) {
      const text = isClosed
        ? `${countBytes(unread)} follow behind the Close frame: they are discarded, whatever they are (RFC 6455, sections 1.4 and 5.5.1).`
        : `${countBytes(unread)} follow, which nobody reads.`
      elements.push(create('p', { class: 'quiet', id: 'unread' }, text))
    }
    this.#root.replaceChildren(...elements)
    this.chosen = this.#chosen
  }

  #drawFrame(frame: FrameLayout, index: number, focus: number): HTMLElement {
    const { sample, position } = this.#scene
    const { bytes, role } = sample
    const width = this.#narrow.matches ? 16 : 32
    const { element, parts } = drawFrame(frame, index, { bytes, position, focus, width, role })
    this.#parts.set(String(index), parts)
    const fault =
      frame.violation !== undefined && position > frame.violation.offset
        ? describeFault(frame, index, bytes)
        : undefined
    const payloadAt = frame.offset + frame.headerLength
    const table = drawPayload(frame, position - payloadAt, focus - payloadAt, width / 2, `${index}${TABLE}`)
    return create(
      'section',
      { class: 'frame', 'aria-label': `Frame ${index + 1}` },
      create(
        'h3',
        {},
        `Frame ${grouped(index + 1)} `,
        create('span', { class: 'facts' }, describeFrame(frame, position)),
      ),
      ...(fault === undefined
        ? []
        : [create('p', { class: 'fault' }, create('strong', {}, fault.code), fault.text)]),
      element,
      ...(table === undefined ? [] : [table]),
    )
  }

  #partOf({ list, index }: Choice): Part | undefined {
    if (!list.endsWith(TABLE)) return this.#parts.get(list)?.[index]
    const frame = this.#scene.layout.frames[Number.parseInt(list, 10)]
    return frame === undefined || index >= frame.payload.length ? undefined : payloadPart(frame, index)
  }

  #showChosen(): void {
    if (this.#chosen === undefined) this.#panel.clear(HINT)
    else this.#show(this.#chosen)
  }

  #show(choice: Choice): void {
    const part = this.#partOf(choice)
    if (part === undefined) return
    const { kind, note, start, bits } = part
    const { layout, isEditable } = this.#scene
    const bit = layout.frames[Number.parseInt(choice.list, 10)].offset * 8 + start
    this.#panel.show(note, kind, ...(bits === 1 && isEditable ? [this.#flipButton(choice, bit)] : []))
  }

  #flipButton(choice: Choice, bit: number): HTMLElement {
    const button = create('button', { type: 'button' }, 'Flip this bit')
    button.addEventListener('click', () => {
      this.#flip(bit)
      // The same field again, with what it is now.
      this.chosen = choice
      byId('field-note').querySelector('button')?.focus()
    })
    return button
  }
}
