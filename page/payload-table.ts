import { characterOf, countBytes, hexOf } from './bytes.js'
import { create } from './dom.js'
import { type FrameLayout, windowOf } from './frame-layout.js'

/** Bytes of a payload that the tables have together. */
const SHOWN_BYTES = 64

/**
 * The payload masked and unmasked, byte by byte, in tables of `columns`. Every byte is a choice of the list `list`: see
 * choices.ts.
 *
 * @param pushed bytes of the payload that the decoder has got
 * @param focus the byte of the payload that should be seen
 */
export function drawPayload(
  frame: FrameLayout,
  pushed: number,
  focus: number,
  columns: number,
  list: string,
): HTMLElement | undefined {
  const { payload } = frame
  if (payload.length === 0) return undefined
  const root = create('div', { class: 'payload-tables', 'data-list': list })
  const shown = windowOf(payload.length, Math.max(0, focus), SHOWN_BYTES, columns)
  for (let begin = shown.begin; begin < shown.end; begin += columns) {
    root.append(drawTable(frame, pushed, begin, Math.min(shown.end, begin + columns), columns))
  }
  const left = payload.length - (shown.end - shown.begin)
  if (left > 0) root.append(create('p', { class: 'quiet' }, `${countBytes(left)} of payload not shown`))
  return root
}

function drawTable(
  frame: FrameLayout,
  pushed: number,
  begin: number,
  end: number,
  columns: number,
): HTMLElement {
  const { key, payload, unmasked } = frame
  const indices = Array.from({ length: end - begin }, (_, i) => begin + i)
  const line = (name: string, kind: string, cellOf: (index: number) => string): HTMLElement =>
    create(
      'tr',
      { 'data-kind': kind },
      create('th', { scope: 'row' }, name),
      ...indices.map(index =>
        create('td', { class: index < pushed ? '' : 'later', 'data-choice': String(index) }, cellOf(index)),
      ),
      // So that the columns of a short table stand below those of a full one.
      ...Array.from({ length: columns - indices.length }, () => create('td', { class: 'empty' })),
    )
  const rows =
    key === undefined
      ? [line('payload', 'payload', index => hexOf(payload[index]))]
      : [
          line('masked', 'masked', index => hexOf(payload[index])),
          line('⊕ key', 'key', index => hexOf(key[index % 4])),
          line('= payload', 'payload', index => hexOf(unmasked[index])),
        ]
  rows.push(line('ASCII', 'character', index => characterOf(unmasked[index])))
  const caption = `Payload, bytes ${begin} to ${end - 1}${key === undefined ? '' : ': masked, XORed with the masking key, unmasked'}`
  return create('table', { 'aria-label': caption }, create('tbody', {}, ...rows))
}
