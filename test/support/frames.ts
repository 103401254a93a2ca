/** A frame as a server sends it. */
export interface Frame {
  fin: boolean
  opcode: number
  payload: Buffer
}

export interface FrameOptions {
  fin?: boolean
  /** Reserved bits: 4, 2, 1. */
  rsv?: number
  /** 4 bytes; `null` for a frame that is not masked. Default: random ones. */
  mask?: Buffer | null
  /** The form of the length: 7, 16 or 64 bits. Default: the shortest. */
  lengthBits?: 7 | 16 | 64
  /** What the header says. Default: the payload's length. */
  announced?: number | bigint
}

export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10

/** A frame as clients send them, well-formed or not. Written from RFC 6455 5.2, apart from the code under test. */
export function frame(opcode: number, payload: string | Uint8Array = '', options: FrameOptions = {}): Buffer {
  const bytes = Buffer.from(payload as Uint8Array)
  const { fin = true, rsv = 0, mask = randomMask(), announced = bytes.length } = options
  const shortest = announced < 126 ? 7 : announced < 65536 ? 16 : 64
  const { lengthBits = shortest } = options
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  const maskBit = mask === null ? 0 : 0x80
  const length = Buffer.alloc({ 7: 1, 16: 3, 64: 9 }[lengthBits])
  if (lengthBits === 7) length[0] = maskBit | Number(announced)
  else if (lengthBits === 16) {
    length[0] = maskBit | 126
    length.writeUInt16BE(Number(announced), 1)
  } else {
    length[0] = maskBit | 127
    length.writeBigUInt64BE(BigInt(announced), 1)
  }
  if (mask !== null) for (let i = 0; i < bytes.length; i++) bytes[i] ^= mask[i % 4]
  return Buffer.concat([Buffer.of(first), length, mask ?? Buffer.alloc(0), bytes])
}

/** Need not be unpredictable here; made faster than by node:crypto, since some tests send a million frames. */
function randomMask(): Buffer {
  const mask = Buffer.allocUnsafe(4)
  mask.writeUInt32LE(Math.floor(Math.random() * 2 ** 32))
  return mask
}

export function text(payload: string | Uint8Array, options?: FrameOptions): Buffer {
  return frame(TEXT, payload, options)
}

export function closeFrame(code: number, reason: string | Uint8Array = ''): Buffer {
  const status = Buffer.alloc(2)
  status.writeUInt16BE(code)
  return frame(CLOSE, Buffer.concat([status, Buffer.from(reason as Uint8Array)]))
}

/** @returns the frame at the beginning of `bytes` and its size; undefined when it is not all there */
export function parseServerFrame(bytes: Buffer): { frame: Frame; size: number } | undefined {
  if (bytes.length < 2) return undefined
  const [first, second] = bytes as unknown as [number, number]
  if ((first & 0x70) !== 0) throw new Error(`the server set a reserved bit: ${bytes.toString('hex', 0, 16)}`)
  if ((second & 0x80) !== 0) throw new Error(`the server masked a frame: ${bytes.toString('hex', 0, 16)}`)
  let at = 2
  let length = second & 0x7f
  if (length === 126) {
    if (bytes.length < 4) return undefined
    length = bytes.readUInt16BE(2)
    if (length < 126) throw new Error('the server sent a length that is not minimal')
    at = 4
  } else if (length === 127) {
    if (bytes.length < 10) return undefined
    length = Number(bytes.readBigUInt64BE(2))
    if (length < 65536) throw new Error('the server sent a length that is not minimal')
    at = 10
  }
  if (bytes.length < at + length) return undefined
  const payload = bytes.subarray(at, at + length)
  return { frame: { fin: (first & 0x80) !== 0, opcode: first & 0x0f, payload }, size: at + length }
}
