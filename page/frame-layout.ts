import {
  type DecoderOptions,
  type Frame,
  type FrameCodec,
  Opcode,
  type Role,
  type Violation,
} from '../src/codec/index.js'
import { type BitRange, blameOf } from './blame.js'

/**
 * Where the fields of frames lie in a stream of bytes (RFC 6455 5.2). What is a whole frame, and what is wrong, the
 * codec says; only of a frame that it has not finished, or refuses, the header is read here, as far as it came.
 */

export type FieldKind =
  | 'fin'
  | 'rsv1'
  | 'rsv2'
  | 'rsv3'
  | 'opcode'
  | 'mask'
  | 'length'
  | 'length16'
  | 'length64'
  | 'key'

/** Bytes of a stream, and how they are read. */
export interface Sample {
  /** Of who reads them. */
  readonly role: Role
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Whether messages over the server's default limit are refused. Default true. */
  readonly isLimited?: boolean
  /** Whether the stream goes on behind `bytes`, with what is left out here. Default false. */
  readonly isCut?: boolean
}

/** The most that a decoder takes. */
const WIDEST = { maxPayload: 536_870_888, maxFragments: 2 ** 32 - 1 }

/** How a decoder reads a sample. */
export function limitsOf({
  role,
  isLimited = true,
}: Sample): Pick<DecoderOptions, 'role' | 'maxPayload' | 'maxFragments'> {
  return isLimited ? { role } : { role, ...WIDEST }
}

/** A field of the header. */
export interface Field {
  readonly kind: FieldKind
  /** The bit of the frame that it begins with. */
  readonly start: number
  readonly bits: number
  /** Undefined while bytes of it are missing. */
  readonly value: bigint | undefined
}

/** A frame, or what there is of it. */
export interface FrameLayout {
  /** The byte of the stream that it begins with. */
  readonly offset: number
  /** Every field whose existence is known, in order. */
  readonly fields: readonly Field[]
  /** Bytes of the header that `fields` make. */
  readonly headerLength: number
  /** What the header announces; undefined while the length is incomplete. */
  readonly payloadLength: bigint | undefined
  /** The four bytes of the masking key, where there is one and it is complete. */
  readonly key: Uint8Array<ArrayBuffer> | undefined
  /** What came of the payload, as on the wire. */
  readonly payload: Uint8Array<ArrayBuffer>
  /** The same, unmasked. */
  readonly unmasked: Uint8Array<ArrayBuffer>
  /** The byte of the stream after the last one that came of it. */
  readonly end: number
  readonly isComplete: boolean
  /** Whether the rest of it is left out here, and not still to come. */
  readonly isCut: boolean
  /** The opcode of the message that it belongs to, which an earlier frame may have. -1 before there is one. */
  readonly messageOpcode: number
  /** What the codec refuses in it. */
  readonly violation: Violation | undefined
  /** The bits that are the reason. */
  readonly wrong: readonly BitRange[]
}

/** The frames of a stream, as far as they came. */
export interface StreamLayout {
  readonly frames: readonly FrameLayout[]
  readonly violation: Violation | undefined
  /** Whether the last frame is a Close: what follows is discarded (RFC 6455 1.4). */
  readonly isClosed: boolean
  /** Bytes behind a Close, or behind a frame that was refused, which nobody reads. */
  readonly unread: number
}

export function layoutStream(codec: FrameCodec, sample: Sample): StreamLayout {
  const { bytes, isCut = false } = sample
  const frames: FrameLayout[] = []
  let violation: Violation | undefined
  let end = 0
  let messageOpcode = -1
  let isClosed = false
  const add = (offset: number, frame?: Frame): void => {
    const layout = layoutFrame(codec, bytes, { offset, frame, violation, messageOpcode, isCut })
    if (!isControl(layout)) messageOpcode = layout.messageOpcode
    end = layout.end
    frames.push(layout)
  }
  for (const item of codec.createDecoder({ ...limitsOf(sample), messages: false }).push(bytes)) {
    if (item.type === 'error') violation = item
    else {
      add(item.offset, item)
      isClosed = item.opcode === Opcode.CLOSE
      if (isClosed) break
    }
  }
  if (end < bytes.length && !isClosed) add(end)
  return { frames, violation, isClosed, unread: bytes.length - end }
}

function isControl({ fields }: FrameLayout): boolean {
  return Number(fields.find(({ kind }) => kind === 'opcode')?.value ?? 0) >= Opcode.CLOSE
}

interface Place {
  readonly offset: number
  /** What the codec made of it, if it has done so. */
  readonly frame: Frame | undefined
  readonly violation: Violation | undefined
  /** Of the message that the last data frame belongs to. */
  readonly messageOpcode: number
  readonly isCut: boolean
}

function layoutFrame(
  codec: FrameCodec,
  bytes: Uint8Array<ArrayBuffer>,
  { offset, frame, violation, messageOpcode, isCut }: Place,
): FrameLayout {
  const fields: Field[] = []
  let at = 0
  const add = (kind: FieldKind, bits: number): bigint | undefined => {
    const value = readBits(bytes, offset * 8 + at, bits)
    fields.push({ kind, start: at, bits, value })
    at += bits
    return value
  }
  for (const kind of ['fin', 'rsv1', 'rsv2', 'rsv3'] as const) add(kind, 1)
  const opcode = Number(add('opcode', 4) ?? -1)
  const isMasked = add('mask', 1) === 1n
  const short = add('length', 7)
  let payloadLength = short
  if (short === 126n) payloadLength = add('length16', 16)
  else if (short === 127n) payloadLength = add('length64', 64)
  const hasKey = isMasked && add('key', 32) !== undefined
  const headerLength = frame?.headerLength ?? at / 8

  const begin = offset + headerLength
  const announced = payloadLength === undefined ? 0 : Number(payloadLength)
  const payload = bytes.slice(Math.min(begin, bytes.length), begin + announced)
  const key = hasKey ? bytes.slice(begin - 4, begin) : undefined
  const unmasked = frame?.payload ?? payload.slice()
  if (frame === undefined && key !== undefined) codec.mask(unmasked, key)
  return {
    offset,
    fields,
    headerLength,
    payloadLength,
    key,
    payload,
    unmasked,
    end: Math.min(begin + payload.length, bytes.length),
    isComplete: frame !== undefined,
    isCut: isCut && frame === undefined && violation === undefined,
    messageOpcode: opcode === Opcode.CONTINUATION ? messageOpcode : opcode,
    violation,
    wrong: violation === undefined ? [] : blameOf(violation, { offset, fields, headerLength }),
  }
}

/** Bits as a number, the first one highest; undefined when not all of them are there. */
function readBits(bytes: Uint8Array, start: number, count: number): bigint | undefined {
  if (start + count > bytes.length * 8) return undefined
  let value = 0n
  for (let bit = start; bit < start + count; bit++) value = (value << 1n) | BigInt(bitAt(bytes, bit))
  return value
}

/** One bit of a stream, 0 or 1. */
export function bitAt(bytes: Uint8Array, bit: number): number {
  return (bytes[bit >> 3] >> (7 - (bit & 7))) & 1
}

/** Part of a row of a drawing. */
export interface Segment {
  readonly row: number
  /** 0 to the width less 1. */
  readonly column: number
  readonly start: number
  readonly bits: number
  /** 0 for the first part of what is drawn, and so on. */
  readonly part: number
}

/** Cuts `bits` from bit `start` of a frame into the rows of a drawing that is `width` bits wide. */
export function segmentsOf(start: number, bits: number, width: number): Segment[] {
  const segments: Segment[] = []
  for (let at = start; at < start + bits; ) {
    const column = at % width
    const length = Math.min(width - column, start + bits - at)
    segments.push({ row: Math.floor(at / width), column, start: at, bits: length, part: segments.length })
    at += length
  }
  return segments
}

/**
 * Which `size` of `count` things are shown when one of them is to be seen.
 *
 * @param step the window begins at a multiple of it
 */
export function windowOf(
  count: number,
  focus: number,
  size: number,
  step = 1,
): { begin: number; end: number } {
  if (count <= size) return { begin: 0, end: count }
  const wanted = Math.max(0, Math.min(focus - Math.floor(size / 2), count - size))
  const begin = focus < size ? 0 : Math.ceil(wanted / step) * step
  return { begin, end: Math.min(count, begin + size) }
}
