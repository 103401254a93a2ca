import { constants, deflateRawSync, type ZlibOptions } from 'node:zlib'
import type { DeflateAgreement } from '../../src/handshake/deflate.js'
import { resolveOptions, type ServeOptions } from '../../src/serve-options.js'
import { type Frame, type FrameOptions, frame, parseServerFrame, TEXT } from './frames.js'

const RSV1 = 4

/** No limits at all. */
export const AGREEMENT: DeflateAgreement = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
}

/** The settings of a server with this option. */
export function deflateOptions(option: ServeOptions['perMessageDeflate'] = true) {
  return resolveOptions({ perMessageDeflate: option }).connection.perMessageDeflate
}

/** What a peer sends for a message (RFC 7692 7.2.1); `dictionary` is what it has sent before. */
export function deflateMessage(data: string | Uint8Array, options: ZlibOptions = {}): Buffer {
  const bytes = deflateRawSync(data, { ...options, finishFlush: constants.Z_SYNC_FLUSH })
  return bytes.subarray(0, -4)
}

/** A compressed message in one frame, or the first frame of one; `payload` is in hexadecimal or bytes. */
export function compressed(payload: string | Uint8Array, opcode = TEXT, options: FrameOptions = {}): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload.replaceAll(' ', ''), 'hex') : payload
  return frame(opcode, bytes, { rsv: RSV1, ...options })
}

/** The frames that a server sent, and whether each is compressed. */
export function parseCompressedFrames(bytes: Buffer): (Frame & { isCompressed: boolean })[] {
  const frames = []
  for (let rest = Buffer.from(bytes); rest.length > 0; ) {
    const isCompressed = (rest[0] & 0x40) !== 0
    rest[0] &= ~0x40
    const parsed = parseServerFrame(rest)
    if (parsed === undefined) throw new Error('the last frame is not complete')
    frames.push({ ...parsed.frame, isCompressed })
    rest = rest.subarray(parsed.size)
  }
  return frames
}
