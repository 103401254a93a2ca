import {
  BINARY,
  CLOSE,
  closeFrame,
  type Frame,
  type FrameOptions,
  frame,
  PING,
  PONG,
  parseServerFrame,
} from './frames.js'

/*
 * What a peer says, in words: short names for its frames, and what it reads as lines of text.
 */

const CONTINUATION = 0

export const binary = (payload: string | Uint8Array, options?: FrameOptions): Buffer =>
  frame(BINARY, payload, options)
export const continuation = (payload: string | Uint8Array, options?: FrameOptions): Buffer =>
  frame(CONTINUATION, payload, options)
export const ping = (payload: string | Uint8Array = ''): Buffer => frame(PING, payload)
export const pong = (payload: string | Uint8Array = ''): Buffer => frame(PONG, payload)

/** A Close frame; without a code its payload is empty. */
export const close = (code?: number, reason?: string | Uint8Array): Buffer =>
  code === undefined ? frame(CLOSE) : closeFrame(code, reason)

/** A message in frames of the given payloads. */
export function fragments(opcode: number, payloads: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(
    payloads.map((payload, i) =>
      frame(i === 0 ? opcode : CONTINUATION, payload, { fin: i === payloads.length - 1 }),
    ),
  )
}

/**
 * Reads what a server sent.
 *
 * @throws for anything but whole frames, and for a byte after a Close frame
 */
export function parseServerFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let rest = bytes; rest.length > 0; ) {
    if (frames.at(-1)?.opcode === CLOSE) throw new Error('there are bytes after the Close frame')
    const parsed = parseServerFrame(rest)
    if (parsed === undefined) throw new Error('the last frame is not complete')
    frames.push(parsed.frame)
    rest = rest.subarray(parsed.size)
  }
  return frames
}

const NAMES: Readonly<Record<number, string>> = { 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' }

/** As `parseServerFrames`, each as a line such as `text hello`, `close 1000 bye`, `ping`. */
export function describeServerFrames(bytes: Buffer): string[] {
  return parseServerFrames(bytes).map(({ fin, opcode, payload }) => {
    const name = `${NAMES[opcode] ?? opcode}${fin ? '' : ' (not final)'}`
    if (payload.length === 0) return name
    if (opcode === CLOSE) return `close ${payload.readUInt16BE(0)} ${payload.toString('utf8', 2)}`.trim()
    return `${name} ${payload.toString('utf8')}`
  })
}
