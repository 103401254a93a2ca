import { isValidCloseCode, type Role } from '../src/codec/index.js'
import { characterOf, countBytes, grouped, hexOf } from './bytes.js'
import type { Field, FrameLayout } from './frame-layout.js'

/** What there is to say about a part of a frame or a line of a handshake. */
export interface Note {
  readonly title: string
  /** What it is here. */
  readonly value: string
  readonly text: string
  /** `6455 5.2`: the number of an RFC and its section. */
  readonly source: string
}

export const OPCODE_NAMES: Readonly<Record<number, string>> = {
  0: 'continuation',
  1: 'text',
  2: 'binary',
  8: 'close',
  9: 'ping',
  10: 'pong',
}

const OPCODE_TEXTS: Readonly<Record<number, string>> = {
  0: 'It goes on with the message that an earlier frame began.',
  1: 'It begins a text message, whose payload is UTF-8.',
  2: 'It begins a binary message: its payload is up to the application.',
  8: 'It begins, or answers, the closing handshake. Payload: a code in two bytes, then a reason in UTF-8, or nothing.',
  9: 'The other end has to answer with a pong of the same payload.',
  10: 'It answers a ping, or comes unasked to say “I am still there”.',
}

/** The names that RFC 6455 5.2 gives the fields. */
export const FIELD_TITLES: Readonly<Record<Field['kind'], string>> = {
  fin: 'FIN',
  rsv1: 'RSV1',
  rsv2: 'RSV2',
  rsv3: 'RSV3',
  opcode: 'opcode',
  mask: 'MASK',
  length: 'Payload length',
  length16: 'Extended payload length',
  length64: 'Extended payload length',
  key: 'Masking key',
}

/** Explains a field of a header. `role` is that of who reads it. */
export function noteOnField(field: Field, frame: FrameLayout, role: Role): Note {
  const { kind, value } = field
  const title = FIELD_TITLES[kind]
  if (value === undefined) {
    return { title, value: 'not here yet', text: 'Bytes of it are still to come.', source: '6455 5.2' }
  }
  const number = Number(value)
  switch (kind) {
    case 'fin':
      return { title, value: String(number), text: finText(number, opcodeOf(frame)), source: '6455 5.4' }
    case 'rsv1':
      return {
        title,
        value: String(number),
        text: `Reserved for extensions, 0 without one. permessage-deflate sets it on the first frame of a compressed message.${refusal(number)}`,
        source: '7692 6',
      }
    case 'rsv2':
    case 'rsv3':
      return {
        title,
        value: String(number),
        text: `Reserved for extensions, 0 without one; no registered extension uses it.${refusal(number)}`,
        source: '6455 5.2',
      }
    case 'opcode':
      return {
        title,
        value: `0x${hexOf(number, 1)}, ${OPCODE_NAMES[number] ?? 'reserved'}`,
        text:
          OPCODE_TEXTS[number] ??
          `Reserved for ${number < 8 ? 'further data' : 'further control'} frames, which nobody has defined.`,
        source:
          number < 8 ? '6455 5.6' : number === 8 ? '6455 5.5.1' : number === 9 ? '6455 5.5.2' : '6455 5.5',
      }
    case 'mask':
      return { title, value: String(number), text: maskText(number, role), source: '6455 5.1' }
    case 'length':
      return { title, value: String(number), text: lengthText(number), source: '6455 5.2' }
    case 'length16':
      return {
        title,
        value: grouped(value),
        text: `The payload has ${countBytes(value)}, as a 16-bit number, the high byte first. This form is for 126 to 65,535 bytes; the shortest that fits must be used.`,
        source: '6455 5.2',
      }
    case 'length64':
      return {
        title,
        value: grouped(value),
        text: `The payload has ${countBytes(value)}, as a 64-bit number, the high byte first. This form is for 65,536 bytes and more; its top bit must be 0.`,
        source: '6455 5.2',
      }
    default:
      return {
        title,
        value: Array.from({ length: 4 }, (_, i) => hexOf((number >>> (24 - 8 * i)) & 255)).join(' '),
        text: 'Four bytes, new and unpredictable for every frame. Byte i of the payload is XORed with byte i mod 4 of it, counted from 0. That hides nothing; it keeps a page from choosing what caches and proxies on the way see.',
        source: '6455 5.3',
      }
  }
}

/** Of a reserved bit. */
function refusal(bit: number): string {
  return bit === 1 ? ' No extension is agreed on here, so the frame is refused.' : ''
}

/** Explains one byte of a payload. */
export function noteOnPayload(frame: FrameLayout, index: number): Note {
  const { key, payload, unmasked, payloadLength = 0n } = frame
  const plain = unmasked[index]
  const place = `Byte ${grouped(index + 1)} of ${grouped(payloadLength)}. `
  const meaning = payloadMeaning(frame, index)
  if (key === undefined) {
    return {
      title: 'Payload',
      value: `${hexOf(plain)}  ${characterOf(plain)}`,
      text: place + meaning,
      source: '6455 5.2',
    }
  }
  return {
    title: 'Payload, masked',
    value: `${hexOf(payload[index])} ⊕ ${hexOf(key[index % 4])} = ${hexOf(plain)}  ${characterOf(plain)}`,
    text: `${place}${meaning} XORed with byte ${(index % 4) + 1} of the masking key it is 0x${hexOf(plain)}.`,
    source: '6455 5.3',
  }
}

function payloadMeaning(frame: FrameLayout, index: number): string {
  const { unmasked } = frame
  const opcode = opcodeOf(frame)
  switch (opcode === 0 ? frame.messageOpcode : opcode) {
    case 1:
      return utf8Meaning(unmasked[index])
    case 9:
      return 'Anything; the pong brings the same back.'
    case 10:
      return 'What the ping had, if it answers one.'
    case 8: {
      if (index > 1) return 'Of the reason, in UTF-8.'
      if (unmasked.length < 2) return 'Half of the close code.'
      const code = (unmasked[0] << 8) | unmasked[1]
      return `Of the close code, ${code}${isValidCloseCode(code) ? '' : ', which must not be sent'}.`
    }
    default:
      return 'Its meaning is up to the application.'
  }
}

/** What a byte is in UTF-8, by its high bits (RFC 3629 3). */
function utf8Meaning(byte: number): string {
  if (byte < 0x80) return 'A character of ASCII.'
  if (byte < 0xc0) return 'A further byte of a character in UTF-8.'
  if (byte < 0xc2) return 'It never occurs in UTF-8: it would begin a longer form of an ASCII character.'
  if (byte > 0xf4) return 'It never occurs in UTF-8: the last character, U+10FFFF, begins with 0xf4.'
  return `The first of the ${byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4} bytes of a character in UTF-8.`
}

/** The opcode of a frame; -1 before it is there. */
export function opcodeOf(frame: FrameLayout): number {
  return Number(frame.fields.find(({ kind }) => kind === 'opcode')?.value ?? -1)
}

function finText(fin: number, opcode: number): string {
  if (opcode >= 8) return 'Control frames are never fragmented, so it is always 1.'
  if (fin === 0) return 'More frames of this message follow.'
  return opcode === 0
    ? 'The last frame of its message.'
    : 'The first frame of its message is the last one, too.'
}

function maskText(mask: number, role: Role): string {
  const rule =
    role === 'server'
      ? 'A client masks every frame; a server closes a connection that does not.'
      : 'A server masks nothing; a client closes a connection that does.'
  return `${mask === 1 ? 'The payload is masked, the key precedes it.' : 'The payload is not masked.'} ${rule}`
}

function lengthText(length: number): string {
  if (length === 126) return '126 says that the length is in the next 16 bits.'
  if (length === 127) return '127 says that the length is in the next 64 bits.'
  return `The payload has ${countBytes(length)}. Up to 125 stand here; 126 and 127 announce 16 or 64 more bits.`
}

/** All of a note in a line, for those who hear it. */
export function speak({ title, value, text, source }: Note): string {
  return `${title}: ${value}. ${text} ${citationOf(source)}.`
}

/** `RFC 6455, section 5.2`. */
export function citationOf(source: string): string {
  const [rfc, section] = source.split(' ')
  return `RFC ${rfc}, section ${section}`
}

/** Where to read it. */
export function linkOf(source: string): string {
  const [rfc, section] = source.split(' ')
  return `https://www.rfc-editor.org/rfc/rfc${rfc}#section-${section}`
}
