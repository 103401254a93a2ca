import type { Violation } from '../src/codec/index.js'
import type { Field, FieldKind } from './frame-layout.js'

/** Bits of a frame. */
export interface BitRange {
  /** Counted from the frame's first. */
  readonly start: number
  readonly bits: number
}

/** The field that breaks a rule, by the code of the error; of others it is the byte that the codec names. */
const FIELDS: Readonly<Record<string, FieldKind>> = {
  ERR_FRAME_RESERVED_OPCODE: 'opcode',
  ERR_FRAME_CONTROL_FRAGMENTED: 'fin',
  ERR_FRAME_CONTROL_TOO_LONG: 'length',
  ERR_CLOSE_LENGTH: 'length',
  ERR_FRAME_UNEXPECTED_CONTINUATION: 'opcode',
  ERR_FRAME_EXPECTED_CONTINUATION: 'opcode',
  ERR_FRAME_MASK_REQUIRED: 'mask',
  ERR_FRAME_MASK_FORBIDDEN: 'mask',
  ERR_MESSAGE_TOO_MANY_FRAGMENTS: 'opcode',
}

/**
 * The bits that break the rule. The codec names the byte with which it knew, and refuses a length when it has all of it;
 * what is wrong may be a single bit before.
 *
 * @param frame where it begins in the stream, its fields, and bytes of its header
 */
export function blameOf(
  { error, offset }: Violation,
  frame: { readonly offset: number; readonly fields: readonly Field[]; readonly headerLength: number },
): readonly BitRange[] {
  const { fields, headerLength } = frame
  const bit = (offset - frame.offset) * 8
  const byte = { start: bit, bits: 8 }
  switch (error.code) {
    case 'ERR_FRAME_RESERVED_BITS':
      return fields.filter(({ kind, value }) => kind.startsWith('rsv') && value === 1n)
    case 'ERR_FRAME_LENGTH_TOP_BIT':
      return fields.filter(({ kind }) => kind === 'length64').map(({ start }) => ({ start, bits: 1 }))
    case 'ERR_FRAME_LENGTH_NOT_MINIMAL':
    case 'ERR_MESSAGE_TOO_BIG':
      // The longest form that there is.
      return fields.filter(({ kind }) => kind.startsWith('length')).slice(-1)
    case 'ERR_CLOSE_CODE':
      return [{ start: headerLength * 8, bits: 16 }]
    case 'ERR_INVALID_UTF8':
      // An empty frame has ended the text inside a character: no byte of it is wrong, but that it is the last one.
      return bit < headerLength * 8 ? fields.slice(0, 1) : [byte]
    default: {
      const kind = FIELDS[error.code]
      return kind === undefined ? [byte] : fields.filter(field => field.kind === kind)
    }
  }
}

/** Whether any bit of `range` is one of `ranges`. */
export function touches(ranges: readonly BitRange[], { start, bits }: BitRange): boolean {
  return ranges.some(range => range.start < start + bits && start < range.start + range.bits)
}
