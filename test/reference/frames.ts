import fc from 'fast-check'

/** A frame as a peer might send it, right or wrong. */
export interface FrameSpec {
  opcode: number
  fin?: boolean
  /** RSV1 to RSV3 as in the first byte: 0x40, 0x20, 0x10. */
  reserved?: number
  payload?: Uint8Array
  /** Masking key; none: the frame is not masked. */
  key?: readonly number[] | undefined
  /** Bytes that the length takes after the header's first two; the shortest form unless given. */
  extended?: 0 | 2 | 8
  /** The length that the header tells, if it is not the payload's. */
  length?: bigint
}

/** The bytes of a frame (RFC 6455 5.2), written without a thought of speed. */
export function frameBytes(spec: FrameSpec): Uint8Array {
  const payload = spec.payload ?? new Uint8Array()
  const length = spec.length ?? BigInt(payload.length)
  const extended = spec.extended ?? (length < 126n ? 0 : length < 65536n ? 2 : 8)
  const short = extended === 0 ? Number(length) : extended === 2 ? 126 : 127
  const bytes = [
    ((spec.fin ?? true) ? 0x80 : 0) | (spec.reserved ?? 0) | spec.opcode,
    (spec.key ? 0x80 : 0) | short,
  ]
  for (let i = extended - 1; i >= 0; i--) bytes.push(Number((length >> BigInt(8 * i)) & 0xffn))
  if (spec.key) bytes.push(...spec.key)
  payload.forEach((byte, i) => {
    bytes.push(byte ^ (spec.key?.[i % 4] ?? 0))
  })
  return Uint8Array.from(bytes)
}

/** One after the other. (Not `Buffer.concat`: these files run in browsers, too.) */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** One character per byte: strings are compared quickly. */
export function characters(bytes: ArrayLike<number>): string {
  let all = ''
  for (let at = 0; at < bytes.length; at += 4096) {
    all += String.fromCharCode(...Array.prototype.slice.call(bytes, at, at + 4096))
  }
  return all
}

const UTF8 = new TextEncoder()

const key = fc.oneof(
  fc.constant([0, 0, 0, 0]),
  fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }),
)

/** Texts of every density of characters of one to four bytes, short ones mostly. */
const text = fc
  .oneof(
    { weight: 8, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
    { weight: 4, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 300 }) },
    {
      weight: 2,
      arbitrary: fc.string({
        unit: fc.constantFrom('a', 'é', '語', '🎈', '\u{10ffff}', '\ud7ff'),
        maxLength: 200,
      }),
    },
    { weight: 1, arbitrary: fc.nat({ max: 66_000 }).map(length => 'x'.repeat(length)) },
  )
  .map(string => UTF8.encode(string))

const binary = fc.oneof(
  { weight: 9, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(125, 126, 127, 65_535, 65_536).map(length => new Uint8Array(length).fill(7)),
  },
)

const control: fc.Arbitrary<FrameSpec> = fc.record({
  opcode: fc.constantFrom(9, 10),
  payload: fc.uint8Array({ maxLength: 125 }),
})

const close: fc.Arbitrary<FrameSpec> = fc.record({
  opcode: fc.constant(8),
  payload: fc.oneof(
    fc.constant(new Uint8Array()),
    fc
      .tuple(
        fc.constantFrom(1000, 1001, 1007, 1014, 3000, 4999, 1005, 1015, 999, 5000),
        fc.string({ maxLength: 40 }),
      )
      .map(([code, reason]) => Uint8Array.from([code >> 8, code & 255, ...UTF8.encode(reason)])),
    fc.uint8Array({ maxLength: 10 }),
  ),
})

const plain: fc.Arbitrary<FrameSpec & { payload: Uint8Array }> = fc.oneof(
  fc.record({ opcode: fc.constant(1), payload: text }),
  fc.record({ opcode: fc.constant(2), payload: binary }),
)

/** Compressed, or so its first frame says: what it has is nobody's business before it is inflated. */
const compressed: fc.Arbitrary<FrameSpec & { payload: Uint8Array }> = fc.record({
  opcode: fc.constantFrom(1, 2),
  payload: binary,
  reserved: fc.constant(0x40),
})

/** A message in one frame or in several with control frames between them. */
const inFrames = (message: fc.Arbitrary<FrameSpec & { payload: Uint8Array }>): fc.Arbitrary<FrameSpec[]> =>
  message.chain(({ opcode, payload, reserved = 0 }) =>
    fc
      .array(fc.tuple(fc.nat({ max: payload.length }), fc.option(control, { freq: 2 })), { maxLength: 4 })
      .map(cuts => {
        const frames: FrameSpec[] = []
        let from = 0
        for (const [at, between] of cuts.toSorted(([a], [b]) => a - b)) {
          const first = frames.length === 0
          frames.push({
            opcode: first ? opcode : 0,
            reserved: first ? reserved : 0,
            fin: false,
            payload: payload.subarray(from, at),
          })
          if (between) frames.push(between)
          from = at
        }
        const first = frames.length === 0
        const last = { opcode: first ? opcode : 0, reserved: first ? reserved : 0 }
        frames.push({ ...last, payload: payload.subarray(from) })
        return frames
      }),
  )

/** Frames that mostly have no place where they stand. */
const odd: fc.Arbitrary<FrameSpec> = fc.record(
  {
    opcode: fc.constantFrom(0, 0, 1, 1, 2, 2, 8, 9, 10, 3, 7, 11, 15),
    fin: fc.boolean(),
    reserved: fc.constantFrom(0, 0, 0, 0, 0, 0x40, 0x20, 0x10),
    payload: fc.uint8Array({ maxLength: 200 }),
    extended: fc.constantFrom<0 | 2 | 8>(2, 8),
    length: fc.constantFrom(0n, 1n, 125n, 126n, 65_535n, 65_536n, 1n << 32n, (1n << 63n) - 1n, 1n << 63n),
  },
  { requiredKeys: ['opcode'] },
)

const conversation = (deflate: boolean): fc.Arbitrary<FrameSpec[]> =>
  fc
    .tuple(
      fc.array(
        fc.oneof(
          { weight: deflate ? 20 : 40, arbitrary: inFrames(plain) },
          { weight: deflate ? 20 : 0, arbitrary: inFrames(compressed) },
          { weight: 10, arbitrary: control.map(frame => [frame]) },
          { weight: 1, arbitrary: close.map(frame => [frame]) },
          { weight: 2, arbitrary: odd.map(frame => [frame]) },
        ),
        { maxLength: 8 },
      ),
      // Half of them end with a Close, half just stop.
      fc.option(close, { freq: 2 }),
    )
    .map(([lists, last]) => lists.flat().concat(last ?? []))

const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

/**
 * What a peer sends: bytes of frames, often right to the end, sometimes wrong somewhere. With `deflate` half of the
 * messages are compressed.
 */
export const streams = (role: 'server' | 'client', deflate = false): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      conversation(deflate),
      fc.array(key, { minLength: 1, maxLength: 5 }),
      // Which frame is masked where it must not be, or the reverse: mostly none.
      fc.oneof({ weight: 9, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat({ max: 8 }) }),
      // Sometimes a corrupted byte: where, as a share of the stream, and what it is XORed with.
      fc.oneof(
        { weight: 2, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: fc.tuple(share, fc.integer({ min: 1, max: 255 })) },
      ),
    )
    .map(([specs, keys, unfit, corruption]) => {
      const parts = specs.map((spec, i) =>
        frameBytes({
          ...spec,
          key: (role === 'server') !== (i === unfit) ? keys[i % keys.length] : undefined,
        }),
      )
      const bytes = joined(parts)
      if (corruption && bytes.length > 0) {
        const at = Math.floor(corruption[0] * bytes.length)
        bytes[at] = bytes[at] ^ corruption[1]
      }
      return bytes
    })

/** Cuts bytes into pieces no longer than `longest`, at the places that `cuts` gives as shares of the whole. */
export function pieces(bytes: Uint8Array, cuts: readonly number[], longest: number): Uint8Array[] {
  const found: Uint8Array[] = []
  let from = 0
  for (const end of [
    ...cuts.map(cut => Math.floor(cut * bytes.length)).toSorted((a, b) => a - b),
    bytes.length,
  ]) {
    while (from < end) {
      const to = Math.min(end, from + longest)
      found.push(bytes.subarray(from, to))
      from = to
    }
  }
  return found
}

/** Shares for `pieces`. */
export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 })
