import { constants, DeflateRaw, InflateRaw } from 'node:zlib'

/** What is inside of a stream of node:zlib, on every version from 20 to 26. */
interface ZlibHandle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void
  reset(): void
}

interface ZlibInside {
  readonly _handle?: ZlibHandle
  /** What the last `writeSync` left: room in the output, then bytes of the input. */
  readonly _writeState?: Uint32Array
}

/** Ends what was given on a byte's boundary, so that the other end can have all of it (zlib.h). */
export const SYNC_FLUSH: number = constants.Z_SYNC_FLUSH
/** Inflation stops where a block ends (zlib.h). */
export const STOP_AT_BLOCK: number = constants.Z_BLOCK

/** Bytes of an inflating stream beside its window. */
const INFLATE_STATE = 7 * 1024

/**
 * One of zlib's streams, used without waiting: from memory to memory, no chunks, no events.
 *
 * What node:zlib offers for that, `inflateRawSync` and its like, makes a stream for each call, which takes longer than
 * a small message, and can't go on where the call before ended. So the calls are made that these functions make, on
 * the stream's handle; `zlib-stream.test.ts` sees to it that all versions have it.
 */
export class ZlibStream {
  /** Set by a fault, until `reset`. */
  failed = false
  /** It was used since this was last set to false. */
  used = true
  readonly windowBits: number
  /** Bytes that zlib takes for it, as zconf.h has it. */
  readonly memory: number
  readonly #stream: DeflateRaw | InflateRaw
  readonly #handle: ZlibHandle
  readonly #state: Uint32Array

  constructor(stream: DeflateRaw | InflateRaw, windowBits: number, memory: number) {
    // What `onerror` of the handle is, `writeSync` calls when zlib finds a fault.
    const { _handle: handle, _writeState: state } = stream as ZlibInside
    if (handle?.writeSync === undefined || state === undefined) {
      throw new Error('this version of Node.js has another node:zlib: turn perMessageDeflate off')
    }
    Object.assign(handle, {
      onerror: () => {
        this.failed = true
      },
    })
    this.windowBits = windowBits
    this.memory = memory
    this.#stream = stream
    this.#handle = handle
    this.#state = state
  }

  /** Gives zlib `inputLength` bytes and room for `outputLength`; `failed`, `room` and `rest` tell what it made of them. */
  write(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void {
    this.#handle.writeSync(flush, input, inputOffset, inputLength, output, outputOffset, outputLength)
  }

  /** Bytes of the output that the last `write` left free. */
  get room(): number {
    return this.#state[0]
  }

  /** Bytes of the input that the last `write` left. */
  get rest(): number {
    return this.#state[1]
  }

  /** Forgets what came before. */
  reset(): void {
    this.failed = false
    this.#handle.reset()
  }

  /** Gives its memory back. */
  close(): void {
    this.#stream.close()
  }
}

/** @param windowBits 8 to 15 */
export function createInflater(windowBits: number): ZlibStream {
  return new ZlibStream(new InflateRaw({ windowBits }), windowBits, INFLATE_STATE + 2 ** windowBits)
}

/**
 * @param windowBits 8 to 15. zlib makes 9 of 8, and with 9 it refers to at most 250 bytes before (2^9 less the 262 that
 *   it looks ahead), so that a window of 8 bits is kept to
 * @param level 0 to 9
 * @param memLevel 1 to 9
 */
export function createDeflater(windowBits: number, level: number, memLevel: number): ZlibStream {
  const memory = 2 ** (windowBits + 2) + 2 ** (memLevel + 9)
  return new ZlibStream(new DeflateRaw({ windowBits, level, memLevel }), windowBits, memory)
}
