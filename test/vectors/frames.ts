// What is right and what is wrong in RFC 6455 5, byte by byte. It runs wherever a codec does, so nothing of Node here.
import type { DecoderLimits } from '../reference/decoder.js'
import { type FrameSpec, frameBytes, joined } from '../reference/frames.js'

const KEY = [0x37, 0xfa, 0x21, 0x3d]
export const SERVER: DecoderLimits = {
  role: 'server',
  maxPayload: Number.POSITIVE_INFINITY,
  maxFragments: 2 ** 32 - 1,
}
const CLIENT: DecoderLimits = { ...SERVER, role: 'client' }

export const hex = (text: string) => Uint8Array.from(text.split(' '), byte => Number.parseInt(byte, 16))
/** The frames of a client, one after the other. */
export const masked = (...specs: FrameSpec[]) => joined(specs.map(spec => frameBytes({ key: KEY, ...spec })))
const bytes = (...values: number[]) => Uint8Array.from(values)
export const text = (string: string) => new TextEncoder().encode(string)

/** RFC 6455 5.7. */
export const EXAMPLES: readonly [name: string, limits: DecoderLimits, wire: Uint8Array, frames: object[]][] =
  [
    [
      'a single-frame unmasked text message',
      CLIENT,
      hex('81 05 48 65 6c 6c 6f'),
      [{ opcode: 1, fin: true, start: true, compressed: false, ascii: true, payload: 'Hello' }],
    ],
    [
      'a single-frame masked text message',
      SERVER,
      hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'),
      [{ opcode: 1, fin: true, start: true, compressed: false, ascii: true, payload: 'Hello' }],
    ],
    [
      'a fragmented unmasked text message',
      CLIENT,
      hex('01 03 48 65 6c 80 02 6c 6f'),
      [
        { opcode: 1, fin: false, start: true, compressed: false, ascii: true, payload: 'Hel' },
        { opcode: 1, fin: true, start: false, compressed: false, ascii: true, payload: 'lo' },
      ],
    ],
    [
      'an unmasked Ping',
      CLIENT,
      hex('89 05 48 65 6c 6c 6f'),
      [{ opcode: 9, fin: true, start: true, compressed: false, ascii: false, payload: 'Hello' }],
    ],
    [
      'a masked Pong',
      SERVER,
      hex('8a 85 37 fa 21 3d 7f 9f 4d 51 58'),
      [{ opcode: 10, fin: true, start: true, compressed: false, ascii: false, payload: 'Hello' }],
    ],
    [
      '256 bytes of binary in a single unmasked frame',
      CLIENT,
      joined([hex('82 7e 01 00'), new Uint8Array(256)]),
      [{ opcode: 2, fin: true, start: true, compressed: false, ascii: false, payload: '\0'.repeat(256) }],
    ],
    [
      '64 KiB of binary in a single unmasked frame',
      CLIENT,
      joined([hex('82 7f 00 00 00 00 00 01 00 00'), new Uint8Array(65_536)]),
      [{ opcode: 2, fin: true, start: true, compressed: false, ascii: false, payload: '\0'.repeat(65_536) }],
    ],
  ]

/** What is sent, the code of the error, and the index of the byte that decides it. */
type Refused = [name: string, limits: Partial<DecoderLimits>, wire: Uint8Array, code: string, at: number]
/** What is sent, and how many frames it has. */
type Taken = [name: string, limits: Partial<DecoderLimits>, wire: Uint8Array, frames: number]

export const VIOLATIONS: readonly Refused[] = [
  ...[0x40, 0x20, 0x10, 0x70].map(
    (reserved): Refused => [
      `reserved bits ${reserved.toString(16)}`,
      {},
      masked({ opcode: 1, reserved }),
      'ERR_FRAME_RESERVED_BITS',
      0,
    ],
  ),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode): Refused => [`opcode ${opcode}`, {}, masked({ opcode }), 'ERR_FRAME_RESERVED_OPCODE', 0],
  ),
  ...[8, 9, 10].flatMap((opcode): Refused[] => [
    [`control ${opcode} without FIN`, {}, masked({ opcode, fin: false }), 'ERR_FRAME_CONTROL_FRAGMENTED', 0],
    [
      `control ${opcode} of 126`,
      {},
      masked({ opcode, extended: 2, length: 126n }),
      'ERR_FRAME_CONTROL_TOO_LONG',
      1,
    ],
    [`control ${opcode} of 2^16`, {}, masked({ opcode, length: 65_536n }), 'ERR_FRAME_CONTROL_TOO_LONG', 1],
  ]),
  ['a continuation of nothing', {}, masked({ opcode: 0 }), 'ERR_FRAME_UNEXPECTED_CONTINUATION', 0],
  [
    'a continuation after the last',
    {},
    masked({ opcode: 1, fin: false }, { opcode: 0 }, { opcode: 0 }),
    'ERR_FRAME_UNEXPECTED_CONTINUATION',
    12,
  ],
  [
    'text in a message',
    {},
    masked({ opcode: 2, fin: false }, { opcode: 1 }),
    'ERR_FRAME_EXPECTED_CONTINUATION',
    6,
  ],
  [
    'binary in a message after a Ping',
    {},
    masked({ opcode: 1, fin: false }, { opcode: 9 }, { opcode: 2, fin: false }),
    'ERR_FRAME_EXPECTED_CONTINUATION',
    12,
  ],
  ['no mask from a client', {}, frameBytes({ opcode: 1, payload: text('a') }), 'ERR_FRAME_MASK_REQUIRED', 1],
  ['no mask on a Close', {}, frameBytes({ opcode: 8 }), 'ERR_FRAME_MASK_REQUIRED', 1],
  [
    'a mask from a server',
    { role: 'client' },
    masked({ opcode: 1, payload: text('a') }),
    'ERR_FRAME_MASK_FORBIDDEN',
    1,
  ],
  ['125 in 16 bits', {}, masked({ opcode: 2, extended: 2, length: 125n }), 'ERR_FRAME_LENGTH_NOT_MINIMAL', 3],
  [
    '125 in 16 bits, with its payload',
    {},
    masked({ opcode: 2, extended: 2, payload: new Uint8Array(125) }),
    'ERR_FRAME_LENGTH_NOT_MINIMAL',
    3,
  ],
  ['0 in 16 bits', {}, masked({ opcode: 2, extended: 2 }), 'ERR_FRAME_LENGTH_NOT_MINIMAL', 3],
  [
    '65535 in 64 bits',
    {},
    masked({ opcode: 2, extended: 8, length: 65_535n }),
    'ERR_FRAME_LENGTH_NOT_MINIMAL',
    9,
  ],
  ['0 in 64 bits', {}, masked({ opcode: 2, extended: 8 }), 'ERR_FRAME_LENGTH_NOT_MINIMAL', 9],
  ['2^63', {}, masked({ opcode: 2, length: 1n << 63n }), 'ERR_FRAME_LENGTH_TOP_BIT', 9],
  ['2^64 - 1', {}, masked({ opcode: 2, length: (1n << 64n) - 1n }), 'ERR_FRAME_LENGTH_TOP_BIT', 9],
  [
    '2^63 - 1 over a limit',
    { maxPayload: 2 ** 40 },
    masked({ opcode: 2, length: (1n << 63n) - 1n }),
    'ERR_MESSAGE_TOO_BIG',
    9,
  ],
  ['101 over 100', { maxPayload: 100 }, masked({ opcode: 2, length: 101n }), 'ERR_MESSAGE_TOO_BIG', 1],
  ['1000 over 999', { maxPayload: 999 }, masked({ opcode: 2, length: 1000n }), 'ERR_MESSAGE_TOO_BIG', 3],
  ['1 over 0', { maxPayload: 0 }, masked({ opcode: 1, length: 1n }), 'ERR_MESSAGE_TOO_BIG', 1],
  [
    'fragments over the limit',
    { maxPayload: 10 },
    masked(
      { opcode: 2, fin: false, payload: text('12345') },
      { opcode: 9, payload: text('not counted') },
      { opcode: 0, fin: false, payload: text('12345') },
      { opcode: 0, payload: text('1') },
    ),
    'ERR_MESSAGE_TOO_BIG',
    11 + 17 + 11 + 1,
  ],
  [
    'fragments whose sum is over 2^63',
    { maxPayload: 2 ** 62 },
    masked({ opcode: 2, fin: false, payload: text('1') }, { opcode: 0, length: (1n << 63n) - 1n }),
    'ERR_MESSAGE_TOO_BIG',
    7 + 9,
  ],
  [
    'too many fragments',
    { maxFragments: 2 },
    masked({ opcode: 2, fin: false }, { opcode: 0, fin: false }, { opcode: 0 }),
    'ERR_MESSAGE_TOO_MANY_FRAGMENTS',
    12,
  ],
  [
    'text that is not UTF-8',
    {},
    masked({ opcode: 1, payload: bytes(0x61, 0xff, 0x61) }),
    'ERR_INVALID_UTF8',
    7,
  ],
  ['a surrogate', {}, masked({ opcode: 1, payload: bytes(0xed, 0xa0, 0x80) }), 'ERR_INVALID_UTF8', 7],
  [
    'text that ends in a character',
    {},
    masked({ opcode: 1, payload: bytes(0x61, 0xc3) }),
    'ERR_INVALID_UTF8',
    7,
  ],
  [
    'text that an empty frame ends in a character',
    {},
    masked({ opcode: 1, fin: false, payload: bytes(0xc3) }, { opcode: 9, payload: text('é') }, { opcode: 0 }),
    'ERR_INVALID_UTF8',
    7 + 8 + 5,
  ],
  [
    'a bad byte long before the end of its frame',
    {},
    masked({ opcode: 1, length: 1n << 40n, payload: bytes(0xc3, 0x28) }),
    'ERR_INVALID_UTF8',
    15,
  ],
  ['a Close of one byte', {}, masked({ opcode: 8, payload: bytes(3) }), 'ERR_CLOSE_LENGTH', 1],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
    (code): Refused => [
      `close code ${code}`,
      {},
      masked({ opcode: 8, payload: bytes(code >> 8, code & 255) }),
      'ERR_CLOSE_CODE',
      7,
    ],
  ),
  [
    'a bad close reason',
    {},
    masked({ opcode: 8, payload: bytes(3, 232, 0x61, 0x80) }),
    'ERR_INVALID_UTF8',
    9,
  ],
  [
    'a cut close reason',
    {},
    masked({ opcode: 8, payload: bytes(3, 232, 0xe2, 0x82) }),
    'ERR_INVALID_UTF8',
    9,
  ],

  // RFC 7692 6: RSV1 where it was negotiated, in the first frame of a message and nowhere else.
  ...[0x20, 0x10, 0x60, 0x70].map(
    (reserved): Refused => [
      `reserved bits ${reserved.toString(16)} beside compression`,
      { deflate: true },
      masked({ opcode: 1, reserved }),
      'ERR_FRAME_RESERVED_BITS',
      0,
    ],
  ),
  ...[8, 9, 10].map(
    (opcode): Refused => [
      `control ${opcode} with RSV1`,
      { deflate: true },
      masked({ opcode: 1, reserved: 0x40, fin: false }, { opcode, reserved: 0x40 }),
      'ERR_FRAME_RESERVED_BITS',
      6,
    ],
  ),
  [
    'a continuation with RSV1 of a compressed message',
    { deflate: true },
    masked({ opcode: 2, reserved: 0x40, fin: false }, { opcode: 0, reserved: 0x40 }),
    'ERR_FRAME_RESERVED_BITS',
    6,
  ],
  [
    'a continuation with RSV1 of a plain message',
    { deflate: true },
    masked({ opcode: 1, fin: false }, { opcode: 0, reserved: 0x40 }),
    'ERR_FRAME_RESERVED_BITS',
    6,
  ],
  [
    'plain text that is not UTF-8 beside compression',
    { deflate: true },
    masked({ opcode: 1, reserved: 0x40, payload: bytes(0xff) }, { opcode: 1, payload: bytes(0xff) }),
    'ERR_INVALID_UTF8',
    13,
  ],
  [
    'more than a compressed message may be',
    { deflate: true, maxPayload: 80 },
    masked({ opcode: 2, reserved: 0x40, length: 1115n }),
    'ERR_MESSAGE_TOO_BIG',
    3,
  ],
  [
    'as much in a message that is not compressed',
    { deflate: true, maxPayload: 80 },
    masked({ opcode: 2, length: 81n }),
    'ERR_MESSAGE_TOO_BIG',
    1,
  ],

  // Where one byte decides several, the order is fixed.
  ['reserved bits before opcode', {}, masked({ opcode: 3, reserved: 0x40 }), 'ERR_FRAME_RESERVED_BITS', 0],
  ['opcode before fragmentation', {}, masked({ opcode: 11, fin: false }), 'ERR_FRAME_RESERVED_OPCODE', 0],
  [
    'mask before control length',
    {},
    frameBytes({ opcode: 9, extended: 2, length: 200n }),
    'ERR_FRAME_MASK_REQUIRED',
    1,
  ],
  [
    'length form before size',
    { maxPayload: 10 },
    masked({ opcode: 2, extended: 2, length: 20n }),
    'ERR_FRAME_LENGTH_NOT_MINIMAL',
    3,
  ],
  [
    'top bit before size',
    { maxPayload: 10 },
    masked({ opcode: 2, length: 1n << 63n }),
    'ERR_FRAME_LENGTH_TOP_BIT',
    9,
  ],
  [
    'continuation before number',
    { maxFragments: 1 },
    masked({ opcode: 2, fin: false }, { opcode: 2 }),
    'ERR_FRAME_EXPECTED_CONTINUATION',
    6,
  ],
]

/** What keeps to every rule, but only just. */
export const ALLOWED: readonly Taken[] = [
  ['a length of 2^63 - 1 and no limit', {}, masked({ opcode: 2, length: (1n << 63n) - 1n }), 0],
  ['a message of the limit', { maxPayload: 100 }, masked({ opcode: 2, payload: new Uint8Array(100) }), 1],
  [
    'fragments of the limit, a Ping over it, the next message',
    { maxPayload: 4, maxFragments: 2 },
    masked(
      { opcode: 1, fin: false, payload: text('12') },
      { opcode: 9, payload: text('123456') },
      { opcode: 0, payload: text('34') },
      { opcode: 1, payload: text('5678') },
    ),
    4,
  ],
  [
    'empty messages',
    {},
    masked({ opcode: 1 }, { opcode: 2 }, { opcode: 9 }, { opcode: 10 }, { opcode: 8 }),
    5,
  ],
  [
    'empty messages where nothing longer is allowed',
    { maxPayload: 0 },
    masked({ opcode: 1 }, { opcode: 2 }),
    2,
  ],
  ['126 bytes, the shortest in 16 bits', {}, masked({ opcode: 2, payload: new Uint8Array(126) }), 1],
  ['65536 bytes, the shortest in 64 bits', {}, masked({ opcode: 2, payload: new Uint8Array(65_536) }), 1],
  ['125 bytes of control', {}, masked({ opcode: 9, payload: new Uint8Array(125) }), 1],
  [
    'a character in three frames and a Ping between its bytes',
    {},
    masked(
      { opcode: 1, fin: false, payload: bytes(0xe2) },
      { opcode: 9, payload: bytes(0xff) },
      { opcode: 0, fin: false, payload: bytes(0x82) },
      { opcode: 10, payload: bytes(0xc3) },
      { opcode: 0, payload: bytes(0xac) },
    ),
    5,
  ],
  [
    'compressed messages between others, in one frame and in three (RFC 7692 7.2.3.1)',
    { deflate: true },
    masked(
      { opcode: 1, payload: text('plain') },
      { opcode: 1, reserved: 0x40, payload: hex('f2 48 cd c9 c9 07 00') },
      { opcode: 1, reserved: 0x40, fin: false, payload: hex('f2 48 cd') },
      { opcode: 9, payload: text('between') },
      { opcode: 0, fin: false },
      { opcode: 0, payload: hex('c9 c9 07 00') },
      { opcode: 2, payload: bytes(0xff) },
    ),
    7,
  ],
  [
    'the longest compressed message',
    { deflate: true, maxPayload: 80 },
    masked({ opcode: 2, reserved: 0x40, payload: new Uint8Array(1114) }),
    1,
  ],
  ...[1000, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999].map(
    (code): Taken => [
      `close code ${code}`,
      {},
      masked({ opcode: 8, payload: bytes(code >> 8, code & 255, 0xc3, 0xa9) }),
      1,
    ],
  ),
]
