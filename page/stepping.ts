import type { FrameCodec, Message } from '../src/codec/index.js'
import { touches } from './blame.js'
import { countBytes, grouped, hexOf, toHex } from './bytes.js'
import { FIELD_TITLES, OPCODE_NAMES, opcodeOf } from './field-notes.js'
import { type FrameLayout, limitsOf, type Sample, type StreamLayout } from './frame-layout.js'

/** What a decoder yields for the first bytes of a stream. */
export interface Step {
  /** For all but the last of them. */
  readonly before: readonly Message[]
  /** For the last one. */
  readonly now: readonly Message[]
}

/** Bytes of a message that its description has. */
const DESCRIBED_BYTES = 24

/** Pushes `count` bytes to a new decoder, the last one by itself. */
export function decodeUpTo(codec: FrameCodec, sample: Sample, count: number): Step {
  const { bytes } = sample
  const decoder = codec.createDecoder({ ...limitsOf(sample), messages: true })
  const last = Math.max(0, count - 1)
  return { before: decoder.push(bytes.subarray(0, last)), now: decoder.push(bytes.subarray(last, count)) }
}

/** What a decoder yielded, in words. */
export function describeMessage(message: Message): string {
  switch (message.type) {
    case 'text': {
      const text = message.data.length > 200 ? `${message.data.slice(0, 200)}…` : message.data
      return `the text “${text}”`
    }
    case 'binary':
    case 'ping':
    case 'pong': {
      const { data, type } = message
      const more = data.length > DESCRIBED_BYTES ? ' …' : ''
      const hex = data.length === 0 ? '' : `: ${toHex(data.subarray(0, DESCRIBED_BYTES))}${more}`
      return `${type === 'binary' ? 'a binary message' : `a ${type}`} of ${countBytes(data.length)}${hex}`
    }
    case 'close':
      return message.code === 1005
        ? 'a close without a code'
        : `a close with code ${message.code}${message.reason === '' ? '' : ` and the reason “${message.reason}”`}`
    case 'error':
      return `${message.error.code}: ${message.error.message}. The answer is a close with ${message.error.closeCode}`
    // no default
  }
}

/** Which part of which frame a byte of the stream is. */
export function placeOf(layout: StreamLayout, offset: number): string {
  const index = layout.frames.findIndex(frame => offset < frame.end)
  if (index === -1) return layout.isClosed ? 'discarded, behind a Close frame' : 'behind what is read'
  const frame = layout.frames[index]
  const inFrame = offset - frame.offset
  const name = `frame ${grouped(index + 1)}`
  if (inFrame >= frame.headerLength)
    return `byte ${grouped(inFrame - frame.headerLength + 1)} of the payload of ${name}`
  const kinds = frame.fields.filter(
    ({ start, bits }) => start < (inFrame + 1) * 8 && start + bits > inFrame * 8,
  )
  const titles = kinds.map(({ kind }) => FIELD_TITLES[kind])
  return `${titles.length > 1 ? `${titles[0]} to ${titles[titles.length - 1]}` : titles[0]} of ${name}`
}

/** What is wrong with a frame, and where; `bytes` are those of the stream. */
export function describeFault(frame: FrameLayout, index: number, bytes: Uint8Array): Fault | undefined {
  const { violation, wrong, offset, headerLength, fields } = frame
  if (violation === undefined) return undefined
  const decided = violation.offset
  const isThere = touches(wrong, { start: (decided - offset) * 8, bits: 8 })
  const at = isThere || wrong.length === 0 ? decided : offset + (wrong[0].start >> 3)
  const titles = fields.filter(field => touches(wrong, field)).map(({ kind }) => FIELD_TITLES[kind])
  const place =
    titles.length > 0
      ? titles.join(' and ')
      : `byte ${grouped(decided - offset - headerLength + 1)} of the payload`
  const { code, message, closeCode } = violation.error
  const known = isThere
    ? ''
    : code === 'ERR_INVALID_UTF8'
      ? ` The message ends with the byte at offset ${grouped(decided)}, inside a character.`
      : ` It is known with the byte at offset ${grouped(decided)}, when the field is complete.`
  return {
    code,
    text: ` at offset ${grouped(at)} of the stream, 0x${hexOf(bytes[at] ?? 0)}, ${place} of frame ${grouped(index + 1)}: ${message}.${known} The connection is closed with ${closeCode}.`,
  }
}

/** What is wrong, in words. */
export interface Fault {
  readonly code: string
  /** What follows the code. */
  readonly text: string
}

/** What a frame is, in a line, when `position` bytes of the stream have been pushed. */
export function describeFrame(frame: FrameLayout, position: number): string {
  const opcode = opcodeOf(frame)
  const name = OPCODE_NAMES[opcode] ?? (opcode < 0 ? 'only begun' : `reserved opcode 0x${hexOf(opcode, 1)}`)
  const { payloadLength, key, fields, isComplete, isCut, violation, end } = frame
  const facts = [name]
  if (fields[0].value === 0n) facts.push('fragment')
  if (payloadLength !== undefined) facts.push(countBytes(payloadLength))
  if (key !== undefined) facts.push('masked')
  if (violation !== undefined && position > violation.offset) facts.push('refused')
  else if (position >= end && isCut) facts.push('the rest is left out')
  else if (!isComplete || position < end) facts.push('incomplete')
  return facts.join(' · ')
}
