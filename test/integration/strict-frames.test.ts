// What a client may not do, as bytes: every violation ends its connection with the right Close frame and FIN, after
// the answers to what was right before it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BINARY, CLOSE, closeFrame, frame, PING, PONG, TEXT, text } from '../support/frames.js'
import { ServerProcess } from '../support/server-process.js'
import { WireClient } from '../support/wire-client.js'

const MAX_PAYLOAD = 2 ** 20

let server: ServerProcess

beforeAll(async () => {
  // Nothing here may end because a deadline comes.
  server = await ServerProcess.start({ closeTimeoutMs: 600_000, handshakeTimeoutMs: 600_000 })
})

afterAll(() => server.finish())

interface Violation {
  name: string
  code: number
  bytes: Buffer
  /** Where the fault is in the bytes: how many of them must be seen. Default: all. */
  needs?: number
}

const euro = Buffer.from('€')
const statusOf = (code: number): Buffer => Buffer.of(code >> 8, code & 0xff)

const violations: Violation[] = [
  ...[4, 2, 1].map(rsv => ({
    name: `reserved bit ${rsv}`,
    code: 1002,
    bytes: text('hi', { rsv }),
    needs: 1,
  })),
  { name: 'a reserved bit on a control frame', code: 1002, bytes: frame(PING, '', { rsv: 4 }), needs: 1 },
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(opcode => ({
    name: `opcode ${opcode}`,
    code: 1002,
    bytes: frame(opcode, 'x'),
    needs: 1,
  })),
  ...[CLOSE, PING, PONG].map(opcode => ({
    name: `a fragmented control frame ${opcode}`,
    code: 1002,
    bytes: frame(opcode, '', { fin: false }),
    needs: 1,
  })),
  ...[CLOSE, PING, PONG].map(opcode => ({
    name: `a control frame ${opcode} of 126 bytes`,
    code: 1002,
    bytes: frame(opcode, Buffer.alloc(126, 'x')),
    needs: 4,
  })),
  {
    name: 'a control frame with a 64-bit length',
    code: 1002,
    bytes: frame(PING, 'x', { lengthBits: 64 }),
    needs: 10,
  },
  { name: 'a continuation of nothing', code: 1002, bytes: frame(0, 'x'), needs: 1 },
  {
    name: 'a continuation after a whole message',
    code: 1002,
    bytes: frame(0, 'x', { fin: false }),
    needs: 1,
  },
  {
    name: 'text inside a fragmented message',
    code: 1002,
    bytes: Buffer.concat([text('a', { fin: false }), text('b')]),
    needs: 8,
  },
  {
    name: 'binary inside a fragmented message',
    code: 1002,
    bytes: Buffer.concat([text('a', { fin: false }), frame(PING), frame(BINARY, 'b')]),
    needs: 14,
  },
  { name: 'unmasked text', code: 1002, bytes: text('hi', { mask: null }), needs: 2 },
  { name: 'an unmasked Close', code: 1002, bytes: frame(CLOSE, '', { mask: null }), needs: 2 },
  ...[0, 1, 125].map(length => ({
    name: `a 16-bit length of ${length}`,
    code: 1002,
    bytes: text(Buffer.alloc(length, 'x'), { lengthBits: 16 }),
    needs: 4,
  })),
  ...[0, 125, 126, 65535].map(announced => ({
    name: `a 64-bit length of ${announced}`,
    code: 1002,
    bytes: text('x', { lengthBits: 64, announced }),
    needs: 10,
  })),
  {
    name: 'a length with the top bit',
    code: 1002,
    bytes: frame(BINARY, 'x', { announced: 2n ** 63n + 1n }),
    needs: 10,
  },
  {
    name: 'an announced byte too many',
    code: 1009,
    bytes: frame(BINARY, 'x', { announced: MAX_PAYLOAD + 1 }),
    needs: 10,
  },
  { name: 'an announced 4 GiB', code: 1009, bytes: text('x', { announced: 2 ** 32 }), needs: 10 },
  { name: 'an announced 2^63 - 1', code: 1009, bytes: text('x', { announced: 2n ** 63n - 1n }), needs: 10 },
  {
    name: 'fragments that are too long together',
    code: 1009,
    bytes: Buffer.concat([text('abc', { fin: false }), frame(0, 'x', { announced: MAX_PAYLOAD - 2 })]),
    needs: 19,
  },
  { name: 'a byte that UTF-8 never has', code: 1007, bytes: text(Buffer.of(0x61, 0xff, 0x61)), needs: 8 },
  { name: 'an overlong form', code: 1007, bytes: text(Buffer.of(0xc0, 0xaf)), needs: 7 },
  { name: 'an overlong form of three bytes', code: 1007, bytes: text(Buffer.of(0xe0, 0x80, 0x80)), needs: 8 },
  { name: 'a surrogate', code: 1007, bytes: text(Buffer.of(0xed, 0xa0, 0x80)), needs: 8 },
  {
    name: 'a code point beyond U+10FFFF',
    code: 1007,
    bytes: text(Buffer.of(0xf4, 0x90, 0x80, 0x80)),
    needs: 8,
  },
  { name: 'a continuation byte at the beginning', code: 1007, bytes: text(Buffer.of(0x80)), needs: 7 },
  { name: 'a character cut off at the end', code: 1007, bytes: text(euro.subarray(0, 2)) },
  {
    name: 'a character cut off in the last fragment',
    code: 1007,
    bytes: Buffer.concat([text('a', { fin: false }), frame(0, euro.subarray(0, 1))]),
  },
  {
    name: 'a bad character split by fragments',
    code: 1007,
    bytes: Buffer.concat([text(euro.subarray(0, 2), { fin: false }), frame(0, 'x')]),
    needs: 15,
  },
  {
    name: 'a bad byte early in a frame that never ends',
    code: 1007,
    bytes: text(Buffer.from('a\xff', 'latin1'), { announced: 100_000 }),
    needs: 16,
  },
  {
    name: 'a bad byte in a first fragment',
    code: 1007,
    bytes: text(Buffer.from('a\xffa', 'latin1'), { fin: false }),
    needs: 8,
  },
  { name: 'a Close of one byte', code: 1002, bytes: frame(CLOSE, 'x'), needs: 2 },
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map(code => ({
    name: `close code ${code}`,
    code: 1002,
    bytes: frame(CLOSE, statusOf(code)),
  })),
  {
    name: 'a close reason that is not UTF-8',
    code: 1007,
    bytes: frame(CLOSE, Buffer.concat([statusOf(1000), Buffer.of(0xff)])),
  },
  {
    name: 'a close reason cut off',
    code: 1007,
    bytes: frame(CLOSE, Buffer.concat([statusOf(1000), euro.subarray(0, 2)])),
  },
]

describe.each(violations)('$name: $code', ({ code, bytes, needs = bytes.length }) => {
  test('in one segment with messages before and after it', async () => {
    const client = await WireClient.open(server.port)
    client.send(
      Buffer.concat([text('one'), frame(PING, 'p'), text('two'), bytes, text('never'), frame(PING, 'q')]),
    )
    const closing = await client.closing()
    client.end()
    expect(closing.code).toBe(code)
    expect(closing.reason).not.toBe('')
    // A Ping inside of the violating bytes themselves was right: its answer has no payload.
    const before = closing.before.filter(({ payload }) => payload.length > 0)
    expect(before.map(({ opcode, payload }) => [opcode, payload.toString()])).toEqual([
      [TEXT, 'one'],
      [PONG, 'p'],
      [TEXT, 'two'],
    ])
  })

  test('cut in two wherever it can be, and seen as soon as it is there', async () => {
    const cuts = Array.from({ length: needs }, (_, cut) => cut)
    await Promise.all(
      cuts.map(async cut => {
        const client = await WireClient.open(server.port)
        // The answer proves that the server has read up to the cut.
        client.send(Buffer.concat([text('first'), bytes.subarray(0, cut)]))
        expect(await client.text()).toBe('first')
        expect(client.ending).toBeUndefined()
        client.send(bytes.subarray(cut, needs))
        const closing = await client.closing()
        // What comes late is not answered, and does not turn the end into a reset.
        client.send(bytes.subarray(needs))
        client.send(text('late'))
        client.end()
        expect({ cut, code: closing.code, ending: client.ending }).toEqual({ cut, code, ending: 'fin' })
        expect(closing.before.filter(({ payload }) => payload.length > 0)).toEqual([])
      }),
    )
  })
})

test.each([
  ['a violation', 1002, frame(3)],
  ['a message that is too long', 1009, frame(BINARY, '', { announced: MAX_PAYLOAD + 1 })],
  ['a Close frame', 4000, closeFrame(4000)],
])('%s, then 8 MiB: the answer with %i is not lost to a reset', async (_, code, bytes) => {
  const client = await WireClient.open(server.port)
  client.send(Buffer.concat([text('one'), bytes, Buffer.alloc(8 * MAX_PAYLOAD, 'x')]))
  const closing = await client.closing()
  await new Promise<void>(resolve => client.socket.end(() => resolve()))
  expect(closing).toMatchObject({ code, before: [{ opcode: TEXT }] })
  expect(client.ending).toBe('fin')
})

test('each byte in a segment of its own', async () => {
  const client = await WireClient.open(server.port)
  const bytes = Buffer.concat([
    text('a€😀'),
    frame(PING, 'ping'),
    text('€'.repeat(50)),
    text('x', { fin: false }),
    frame(PING, 'in between'),
    frame(0, Buffer.alloc(130, 'y')),
    frame(0x3, 'reserved'),
  ])
  for (const byte of bytes) {
    await new Promise(resolve => client.socket.write(Buffer.of(byte), resolve))
  }
  const { code, before } = await client.closing()
  client.end()
  expect(code).toBe(1002)
  expect(before.map(({ opcode, payload }) => [opcode, payload.toString()])).toEqual([
    [TEXT, 'a€😀'],
    [PONG, 'ping'],
    [TEXT, '€'.repeat(50)],
    [PONG, 'in between'],
    [TEXT, `x${'y'.repeat(130)}`],
  ])
})

describe('what is right', () => {
  const sizes = [0, 1, 2, 125, 126, 127, 65535, 65536, 65537, MAX_PAYLOAD - 1, MAX_PAYLOAD]

  test.each(sizes)('a binary message of %i bytes', async size => {
    const client = await WireClient.open(server.port)
    const payload = Buffer.alloc(size, 'shardws')
    client.send(frame(BINARY, payload))
    const answer = await client.frame()
    client.end()
    expect(answer.opcode).toBe(BINARY)
    expect(answer.payload.equals(payload)).toBe(true)
  })

  test('a message of 70,000 fragments with Pings between them', async () => {
    const client = await WireClient.open(server.port)
    const characters = Buffer.from('añ€😀'.repeat(7000))
    expect(characters.length).toBe(70_000)
    const fragments: Buffer[] = []
    for (let i = 0; i < 70_000; i++) {
      const fin = i === 69_999
      fragments.push(frame(i === 0 ? TEXT : 0, characters.subarray(i, i + 1), { fin }))
      if (i % 10_000 === 5000) fragments.push(frame(PING, String(i)))
    }
    client.send(Buffer.concat(fragments))
    for (let i = 5000; i < 70_000; i += 10_000) {
      const pong = await client.frame()
      expect([pong.opcode, pong.payload.toString()]).toEqual([PONG, String(i)])
    }
    expect((await client.text()) === characters.toString()).toBe(true)
    client.end()
  })

  test('empty fragments, and fragments of fragments', async () => {
    const client = await WireClient.open(server.port)
    client.send(Buffer.concat([text('', { fin: false }), frame(0, '', { fin: false }), frame(0, '')]))
    client.send(Buffer.concat([frame(BINARY, 'a', { fin: false }), frame(PONG, 'unasked'), frame(0, 'b')]))
    expect(await client.text()).toBe('')
    expect(await client.text()).toBe('pong unasked')
    expect((await client.frame()).payload.toString()).toBe('ab')
    client.end()
  })

  test('10,000 messages in one write come back in order', async () => {
    const client = await WireClient.open(server.port)
    client.send(Buffer.concat(Array.from({ length: 10_000 }, (_, i) => text(`message ${i}`))))
    for (let i = 0; i < 10_000; i++) expect(await client.text()).toBe(`message ${i}`)
    client.end()
  })
})

describe('the closing handshake', () => {
  const codes = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ]

  test.each(codes)('code %i is answered with itself, then FIN', async code => {
    const client = await WireClient.open(server.port)
    client.send(
      Buffer.concat([text('first'), closeFrame(code, 'ende €'), text('never'), frame(PING, 'never')]),
    )
    const closing = await client.closing()
    client.end()
    expect(closing.code).toBe(code)
    expect(closing.before.map(({ payload }) => payload.toString())).toEqual(['first'])
  })

  test('a Close without a code is answered without one', async () => {
    const client = await WireClient.open(server.port)
    client.send(frame(CLOSE))
    expect((await client.closing()).code).toBe(1005)
    client.end()
  })

  test('begun by the server: nothing is delivered any more, FIN follows the answer', async () => {
    const client = await WireClient.open(server.port)
    client.send(Buffer.concat([text('!close 4321 the reason'), text('never'), frame(PING, 'never')]))
    const frames = await client.frame()
    expect([frames.opcode, frames.payload.readUInt16BE(), frames.payload.toString('utf8', 2)]).toEqual([
      CLOSE,
      4321,
      'the reason',
    ])
    client.send(text('never'))
    expect(client.ending).toBeUndefined()
    client.send(closeFrame(4321))
    expect(await client.rest()).toEqual({ frames: [], ending: 'fin' })
    client.end()
  })

  test('begun by both at once', async () => {
    const client = await WireClient.open(server.port)
    client.send(Buffer.concat([text('!close 4000'), closeFrame(4001)]))
    const closing = await client.closing()
    client.end()
    expect(closing).toMatchObject({ code: 4000, before: [] })
  })
})
