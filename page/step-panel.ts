import type { FrameCodec, Message } from '../src/codec/index.js'
import { grouped, hexOf } from './bytes.js'
import { byId, create, disable, onClick } from './dom.js'
import type { Sample, StreamLayout } from './frame-layout.js'
import { decodeUpTo, describeMessage, placeOf } from './stepping.js'

/** Messages that are listed. */
const MOST_YIELDED = 12

/** The slider that pushes bytes to a decoder, and what the decoder yields. */
export class StepPanel {
  readonly #codec: FrameCodec
  readonly #slider = byId('position', HTMLInputElement)
  /** Whether the user has moved the slider since there are these bytes. */
  #isMoved = false

  /** @param moved is told that the position is another; `byButton` where the slider does not say so itself */
  constructor(codec: FrameCodec, moved: (byButton: boolean) => void) {
    this.#codec = codec
    const move = (byButton: boolean): void => {
      this.#isMoved = true
      moved(byButton)
    }
    this.#slider.addEventListener('input', () => move(false))
    for (const [id, by] of [
      ['step-back', -1],
      ['step', 1],
    ] as const) {
      onClick(id, () => {
        this.#slider.valueAsNumber += by
        move(true)
      })
    }
  }

  /** There are other bytes: all of them are pushed. */
  reset(count: number): void {
    this.#slider.max = String(count)
    this.#slider.valueAsNumber = count
    this.#isMoved = false
  }

  /** Bytes that are pushed. */
  get position(): number {
    return this.#slider.valueAsNumber
  }

  /** As the user has left it. */
  set position(count: number) {
    this.#slider.valueAsNumber = count
    this.#isMoved = true
  }

  /** The byte that was pushed last, where the user has said which. */
  get focus(): number | undefined {
    return this.#isMoved ? Math.max(0, this.position - 1) : undefined
  }

  /** @returns what can be seen, in words */
  draw(sample: Sample, layout: StreamLayout): string {
    const { bytes } = sample
    const { position } = this
    const { before, now } = decodeUpTo(this.#codec, sample, position)
    disable('step-back', position === 0)
    disable('step', position === bytes.length)
    const place =
      position === 0
        ? 'Nothing is pushed yet.'
        : `Byte ${grouped(position)} of ${grouped(bytes.length)} is 0x${hexOf(bytes[position - 1])}, ${placeOf(layout, position - 1)}.`
    byId('pushed').textContent = place
    const told = [place, ...now.map(message => `It yields ${describeMessage(message)}.`)].join(' ')
    this.#slider.setAttribute('aria-valuetext', told)
    listYield(before, now)
    return told
  }
}

function listYield(before: readonly Message[], now: readonly Message[]): void {
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
        `${describeMessage(message)} `,
        ...(isNow ? [create('span', { class: 'tag' }, 'with this byte')] : []),
      ),
    )
  if (all.length > items.length) {
    items.unshift(create('li', { class: 'quiet' }, `${all.length - items.length} before these`))
  }
  if (items.length === 0) items.push(create('li', { class: 'quiet' }, 'nothing so far'))
  byId('yielded').replaceChildren(...items)
}
