import { OptionError, StateError } from '../errors.js'
import { CloseCode, MAX_CONTROL_PAYLOAD, Opcode } from '../rfc6455.js'
import { bytesOf, type OwnBytes } from './bytes.js'
import { checkClose, serializeClose } from './close.js'
import { Codec } from './codec.js'
import { FrameDecoder, MessageDecoder } from './decoder.js'
import type { CompressedMessage, Decoder, DecoderOptions, Frame, Message, Violation } from './decoding.js'
import { headerLength, writeHeader } from './encode.js'
import { UTF8_COMPLETE, UTF8_INVALID } from './events.js'
import type { CodecInstance } from './instance.js'
import { checkBoolean, checkInteger, checkNames, checkRole } from './options.js'
import type { Role } from './role.js'

/** Bytes, wherever they lie. */
export type Bytes = ArrayBuffer | ArrayBufferView

/** Who sends. */
export interface EncodeOptions {
  /** A client's frames are masked (RFC 6455 5.3), a server's are not. */
  readonly role: Role
  /** The four bytes to mask with, for tests and inspectors; a random key by default. */
  readonly maskKey?: Uint8Array
}

/** Who sends a message, and what it is. */
export interface MessageOptions extends EncodeOptions {
  /** Binary, or text, for which bytes must be UTF-8 (not checked). Default false for a string, true for bytes. */
  readonly binary?: boolean
  /** The bytes are compressed (RFC 7692 6). Default false. */
  readonly rsv1?: boolean
}

/** A frame to be encoded (RFC 6455 5.2). */
export interface FrameFields {
  readonly opcode: number
  /** Text is encoded to UTF-8. Empty by default; at most 125 bytes in a control frame. */
  readonly payload?: string | Bytes
  /** Default true. */
  readonly fin?: boolean
  /** The bit that permessage-deflate sets in the first frame of a compressed message (RFC 7692 6). Default false. */
  readonly rsv1?: boolean
}

const DECODER_OPTIONS = ['role', 'maxPayload', 'maxFragments', 'deflate', 'messages']
const ENCODE_OPTIONS = ['role', 'maskKey']
const MESSAGE_OPTIONS = ['role', 'maskKey', 'binary', 'rsv1']
const FRAME_FIELDS = ['opcode', 'payload', 'fin', 'rsv1']
const OPCODES: readonly number[] = /* @__PURE__ */ Object.values(Opcode)

const DEFAULT_LIMIT = 2 ** 20
/** The longest string of V8. */
const MAX_PAYLOAD = 536_870_888
const MAX_FRAGMENTS = 2 ** 32 - 1
/** Bytes that are copied in, masked and copied out at a time: as many as the fastest cache holds twice. */
const PIECE = 16_384
/** Up to so many are masked one by one, which is faster than to copy them in and out. */
const FEW = 64
/** Masking keys that are drawn at a time: a draw costs a hundred times what a number does. */
const KEYS = 64

/**
 * The codec: frames and messages to bytes and back, wherever the bytes come from. It does not know what carries them.
 * All that comes of it is made by one instance of codec.wasm, with 1.1 MiB of memory, which never grows.
 */
export class FrameCodec {
  /**
   * 256 KiB of the codec's own memory. Bytes that are put here and then masked, validated or pushed to a decoder are
   * not copied in first; they are unmasked where they lie. It is overwritten by every `push` of other bytes.
   */
  readonly arena: OwnBytes
  readonly #codec: Codec
  readonly #memory: Uint8Array<ArrayBuffer>
  /** That of `#memory`: asking for it costs as much as masking 500 bytes. */
  readonly #buffer: ArrayBuffer
  /** Where pieces are masked. */
  readonly #scratch: Uint8Array<ArrayBuffer>
  readonly #keys = new Uint32Array(KEYS)
  #nextKey = KEYS

  /**
   * @param module of codec.wasm, compiled; `loadCodec` and `loadCodecSync` have one of their own
   * @param instance of it, with memory for one slot
   * @throws StateError (`ERR_CODEC_SOURCE`) when it is not the codec.wasm of this version
   */
  constructor(module: WebAssembly.Module, instance?: CodecInstance) {
    this.#codec = new Codec(module, 1, instance)
    const { readOffset, readArena, writeOffset } = this.#codec
    this.#buffer = readArena.buffer as ArrayBuffer
    this.#memory = new Uint8Array(this.#buffer)
    this.#scratch = this.#memory.subarray(writeOffset, writeOffset + PIECE)
    this.arena = this.#memory.subarray(readOffset, readOffset + readArena.length)
  }

  /**
   * A decoder of one direction of a connection, from its first byte after the opening handshake. There may be any
   * number of them, and they need no end.
   *
   * @throws OptionError (`ERR_OPTION`)
   */
  createDecoder(options: DecoderOptions & { readonly messages: false }): Decoder<Frame | Violation>
  createDecoder(options: DecoderOptions & { readonly messages?: true; readonly deflate?: false }): Decoder
  createDecoder(options: DecoderOptions & { readonly messages?: true }): Decoder<Message | CompressedMessage>
  createDecoder(options: DecoderOptions): Decoder<Frame | Message | CompressedMessage>
  createDecoder(options: DecoderOptions): Decoder<Frame | Message | CompressedMessage> {
    checkNames(options, DECODER_OPTIONS)
    const { maxPayload = DEFAULT_LIMIT, maxFragments = DEFAULT_LIMIT } = options
    const limits = {
      role: checkRole(options.role),
      maxPayload: checkInteger('maxPayload', maxPayload, 0, MAX_PAYLOAD),
      maxFragments: checkInteger('maxFragments', maxFragments, 1, MAX_FRAGMENTS),
      deflate: checkBoolean('deflate', options.deflate, false),
    }
    return checkBoolean('messages', options.messages, true)
      ? new MessageDecoder(this.#codec, limits)
      : new FrameDecoder(this.#codec, limits)
  }

  /**
   * The bytes of a frame, its length in the shortest form.
   *
   * @throws OptionError (`ERR_OPTION`), StateError (`ERR_CODEC_BYTES`, `ERR_CONTROL_TOO_LONG`)
   */
  encodeFrame(frame: FrameFields, options: EncodeOptions): OwnBytes {
    checkNames(frame, FRAME_FIELDS)
    const { opcode, payload = '', fin = true } = frame
    const rsv1 = checkBoolean('rsv1', frame.rsv1, false)
    if (!OPCODES.includes(opcode)) {
      throw new OptionError(
        'ERR_OPTION',
        `opcode must be one of ${OPCODES.join(', ')}, not ${String(opcode)}`,
      )
    }
    if (rsv1 && opcode !== Opcode.TEXT && opcode !== Opcode.BINARY) {
      throw new OptionError(
        'ERR_OPTION',
        'rsv1 is for the first frame of a message, text or binary (RFC 7692 6)',
      )
    }
    const bytes =
      typeof payload === 'string' ? new TextEncoder().encode(payload) : bytesOf(payload, 'payload')
    if (opcode >= Opcode.CLOSE) {
      if (!fin) throw new OptionError('ERR_OPTION', 'fin must be true: control frames are not fragmented')
      if (bytes.length > MAX_CONTROL_PAYLOAD) {
        throw new StateError(
          'ERR_CONTROL_TOO_LONG',
          `a control frame has at most ${MAX_CONTROL_PAYLOAD} bytes of payload`,
        )
      }
    }
    const key = this.#keyFor(options)
    const header = headerLength(bytes.length) + (key === undefined ? 0 : 4)
    const encoded = new Uint8Array(header + bytes.length)
    writeHeader(encoded, 0, opcode, fin, bytes.length, rsv1, key)
    encoded.set(bytes, header)
    if (key !== undefined) this.#xor(encoded.subarray(header), key, 0)
    return encoded
  }

  /**
   * The bytes of a message in one frame: text for a string, otherwise binary, unless `binary` says what it is.
   *
   * @throws OptionError (`ERR_OPTION`), StateError (`ERR_CODEC_BYTES`)
   */
  encodeMessage(data: string | Bytes, options: MessageOptions): OwnBytes {
    checkNames(options, MESSAGE_OPTIONS)
    const { binary, rsv1 = false, ...sender } = options
    const isString = typeof data === 'string'
    if (isString && rsv1) throw new OptionError('ERR_OPTION', 'rsv1 is for bytes: a string is not compressed')
    const opcode = checkBoolean('binary', binary, !isString) ? Opcode.BINARY : Opcode.TEXT
    return this.encodeFrame({ opcode, payload: data, rsv1 }, sender)
  }

  /**
   * The bytes of a Close frame (RFC 6455 5.5.1).
   *
   * @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999; 1005 for a frame without a code
   * @param reason at most 123 bytes of UTF-8
   * @throws OptionError (`ERR_OPTION`), StateError (`ERR_CLOSE_CODE`, `ERR_CLOSE_REASON`)
   */
  encodeClose(code: number, reason: string, options: EncodeOptions): OwnBytes {
    if (code !== CloseCode.NO_STATUS || reason !== '') checkClose(code, reason)
    return this.encodeFrame({ opcode: Opcode.CLOSE, payload: serializeClose(code, reason) }, options)
  }

  /**
   * Masks or unmasks in place (RFC 6455 5.3).
   *
   * @param key four bytes
   * @param phase how many bytes of the same payload were masked before. Default 0
   * @throws OptionError (`ERR_OPTION`), StateError (`ERR_CODEC_BYTES`)
   */
  mask(payload: Bytes, key: Uint8Array, phase = 0): void {
    checkInteger('phase', phase, 0, Number.MAX_SAFE_INTEGER)
    this.#xor(bytesOf(payload, 'payload'), keyNumber(key, 'key'), phase)
  }

  /**
   * Whether the bytes are UTF-8 (RFC 3629).
   *
   * @throws StateError (`ERR_CODEC_BYTES`)
   */
  isValidUtf8(data: Bytes): boolean {
    const bytes = bytesOf(data, 'what is validated')
    const { writeOffset, writeCapacity } = this.#codec
    const isHere = bytes.buffer === this.#buffer
    let state = UTF8_COMPLETE
    for (let at = 0; at < bytes.length && state !== UTF8_INVALID; at += writeCapacity) {
      const piece = bytes.subarray(at, at + writeCapacity)
      if (!isHere) this.#memory.set(piece, writeOffset)
      state = this.#codec.validateUtf8(isHere ? piece.byteOffset : writeOffset, piece.length, state)
    }
    return state === UTF8_COMPLETE
  }

  #xor(bytes: Uint8Array, key: number, phase: number): void {
    const { length } = bytes
    if (bytes.buffer === this.#buffer) {
      this.#codec.mask(bytes.byteOffset, length, key, phase % 4)
      return
    }
    if (length <= FEW) {
      const bits = (phase % 4) * 8
      let turned = (key >>> bits) | (key << (32 - bits))
      for (let i = 0; i < length; i++) {
        bytes[i] ^= turned
        turned = (turned >>> 8) | (turned << 24)
      }
      return
    }
    const scratch = this.#scratch
    for (let at = 0; at < length; at += PIECE) {
      const piece = length <= PIECE ? bytes : bytes.subarray(at, at + PIECE)
      scratch.set(piece)
      this.#codec.mask(scratch.byteOffset, piece.length, key, (phase + at) % 4)
      piece.set(piece.length === PIECE ? scratch : scratch.subarray(0, piece.length))
    }
  }

  #keyFor(options: EncodeOptions): number | undefined {
    checkNames(options, ENCODE_OPTIONS)
    const { role, maskKey } = options
    if (checkRole(role) === 'server') {
      if (maskKey === undefined) return undefined
      throw new OptionError('ERR_OPTION', 'maskKey is for clients: a server masks nothing (RFC 6455 5.1)')
    }
    if (maskKey !== undefined) return keyNumber(maskKey, 'maskKey')
    if (this.#nextKey === KEYS) {
      // RFC 6455 5.3: from a strong source, as nobody may foresee the key.
      crypto.getRandomValues(this.#keys)
      this.#nextKey = 0
    }
    return this.#keys[this.#nextKey++]
  }
}

/** The four bytes of a masking key as a number, the first one lowest. */
function keyNumber(key: unknown, name: string): number {
  const bytes = bytesOf(key, name)
  if (bytes.length !== 4)
    throw new OptionError('ERR_OPTION', `${name} must have 4 bytes, not ${bytes.length}`)
  return bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)
}
