import type { Role } from '../src/codec/index.js'
import { touches } from './blame.js'
import { countBytes, hexOf } from './bytes.js'
import { create } from './dom.js'
import { FIELD_TITLES, type Note, noteOnField, noteOnPayload, speak } from './field-notes.js'
import { bitAt, type FrameLayout, type Segment, segmentsOf, windowOf } from './frame-layout.js'

/** Bytes of a payload that are drawn bit by bit. */
const DRAWN_PAYLOAD = 32

/** What is drawn, and how. */
export interface DrawingContext {
  /** All of the stream. */
  readonly bytes: Uint8Array
  /** Bytes of the stream that the decoder has got. */
  readonly position: number
  /** The byte of the stream that should be seen. */
  readonly focus: number
  /** Bits in a row: 32 as in RFC 6455 5.2, 16 where there is little room. */
  readonly width: number
  /** Of who reads the stream. */
  readonly role: Role
}

/** A field or a byte of the payload, as one thing to choose. */
export interface Part {
  readonly kind: string
  /** Of the frame. */
  readonly start: number
  readonly bits: number
  readonly label: string
  readonly note: Note
}

/** A drawing and what can be chosen in it. */
export interface Drawing {
  readonly element: HTMLElement
  readonly parts: readonly Part[]
}

/** Draws a frame as RFC 6455 5.2 does. @param order of the frame in the stream, from 0 */
export function drawFrame(frame: FrameLayout, order: number, context: DrawingContext): Drawing {
  const { width, focus } = context
  const element = create('div', {
    class: 'drawing',
    role: 'listbox',
    'aria-label': `Fields of frame ${order + 1}`,
    'data-list': String(order),
  })
  element.style.setProperty('--width', String(width))
  drawRuler(element, width)

  const parts: Part[] = frame.fields.map(field => ({
    kind: field.kind,
    start: field.start,
    bits: field.bits,
    label: FIELD_TITLES[field.kind],
    note: noteOnField(field, frame, context.role),
  }))
  const { payload, headerLength } = frame
  const inPayload = focus - frame.offset - headerLength
  const shown = windowOf(payload.length, Math.max(0, inPayload), DRAWN_PAYLOAD, width / 8)
  for (let index = shown.begin; index < shown.end; index++) {
    parts.push(payloadPart(frame, index))
  }

  // Rows of bits to rows of the grid, of which the first is the ruler.
  let shift = 2
  const payloadRow = Math.floor(((headerLength + shown.begin) * 8) / width)
  const headerRows = Math.ceil((headerLength * 8) / width)
  if (shown.begin > 0) {
    element.append(gap(headerRows + 2, `${countBytes(shown.begin)} of payload above, not drawn`))
    shift = headerRows + 3 - payloadRow
  }
  let last = 1
  for (const [choice, part] of parts.entries()) {
    const isPayload = part.start >= headerLength * 8
    for (const segment of segmentsOf(part.start, part.bits, width)) {
      const row = segment.row + (isPayload ? shift : 2)
      last = Math.max(last, row)
      if (segment.column === 0) element.append(byteNumber(row, segment.start / 8))
      const cell = drawSegment(part, segment, frame, context)
      cell.dataset.choice = String(choice)
      cell.style.gridArea = `${row} / ${segment.column + 2} / span 1 / span ${segment.bits}`
      element.append(cell)
    }
  }
  for (const text of endings(frame, shown.end)) element.append(gap(++last, text))
  return { element, parts }
}

/** A byte of the payload. */
export function payloadPart(frame: FrameLayout, index: number): Part {
  return {
    kind: frame.key === undefined ? 'payload' : 'masked',
    start: (frame.headerLength + index) * 8,
    bits: 8,
    label: `payload ${hexOf(frame.payload[index])}`,
    note: noteOnPayload(frame, index),
  }
}

function endings(frame: FrameLayout, drawn: number): string[] {
  const { payload, payloadLength = 0n, isCut, violation } = frame
  const texts: string[] = []
  if (drawn < payload.length) texts.push(`${countBytes(payload.length - drawn)} of payload below, not drawn`)
  const missing = payloadLength - BigInt(payload.length)
  // Of a frame that is refused nothing is waited for.
  if (missing > 0n && violation === undefined)
    texts.push(`${countBytes(missing)} of payload ${isCut ? 'left out here' : 'did not come yet'}`)
  return texts
}

function drawSegment(part: Part, segment: Segment, frame: FrameLayout, context: DrawingContext): HTMLElement {
  const { bytes, position } = context
  const { start, bits, part: index } = segment
  const { violation } = frame
  const from = frame.offset * 8
  const wrong = violation !== undefined && position > violation.offset ? frame.wrong : []
  const row = create('span', { class: 'bits' })
  row.style.setProperty('--bits', String(bits))
  for (let bit = from + start; bit < from + start + bits; bit++) {
    const byte = bit >> 3
    const isHere = touches(wrong, { start: bit - from, bits: 1 })
    const state = byte >= bytes.length ? 'missing' : byte >= position ? 'later' : isHere ? 'here' : ''
    row.append(
      create(
        'i',
        state === '' ? {} : { class: state },
        state === 'missing' ? '·' : String(bitAt(bytes, bit)),
      ),
    )
  }
  const isWrong = touches(wrong, part)
  const isLater = frame.offset + (start >> 3) >= position
  const label = index === 0 ? part.label : bits < 16 ? '…' : `${part.label}, continued`
  const cell = create(
    'div',
    {
      class: `cell${isWrong ? ' wrong' : ''}${isLater ? ' later' : ''}${bits === 1 ? ' single' : ''}`,
      'data-kind': part.kind,
    },
    create('span', { class: 'label' }, label),
    row,
  )
  if (index === 0) {
    cell.setAttribute('role', 'option')
    cell.setAttribute('aria-selected', 'false')
    cell.setAttribute('aria-label', `${speak(part.note)}${isWrong ? ' Refused here.' : ''}`)
  } else cell.setAttribute('aria-hidden', 'true')
  return cell
}

/** The numbers of the bits, as in the RFC. */
function drawRuler(element: HTMLElement, width: number): void {
  for (let bit = 0; bit < width; bit++) {
    const mark = create(
      'span',
      { class: `ruler${bit % 8 === 0 ? ' byte' : ''}`, 'aria-hidden': 'true' },
      String(bit),
    )
    mark.style.gridArea = `1 / ${bit + 2}`
    element.append(mark)
  }
}

/** At the left of a row: which byte of the frame it begins with. */
function byteNumber(row: number, byte: number): HTMLElement {
  const mark = create('span', { class: 'ruler row', 'aria-hidden': 'true' }, String(byte))
  mark.style.gridArea = `${row} / 1`
  return mark
}

function gap(row: number, text: string): HTMLElement {
  const element = create('span', { class: 'gap', 'aria-hidden': 'true' }, `⋯ ${text}`)
  element.style.gridArea = `${row} / 2 / span 1 / -1`
  return element
}
