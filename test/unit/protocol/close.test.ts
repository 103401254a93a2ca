import { describe, expect, it } from 'vitest'
import { checkClose, parseClose, serializeClose } from '../../../src/codec/close.js'
import { frameError, StateError } from '../../../src/errors.js'
import { isValidCloseCode } from '../../../src/rfc6455.js'
import { frame, text } from '../../support/frames.js'
import { binary, close, continuation, fragments, ping, pong } from '../../support/peer-frames.js'
import { linesOf, ProtocolSession } from '../../support/protocol-session.js'

/** RFC 6455 7.4 and the registry it opened, written down a second time. */
function maySend(code: number): boolean {
  const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
  return registered.includes(code) || (code >= 3000 && code <= 4999)
}

const CODES = Array.from({ length: 5001 }, (_, code) => code)

/** What is told of `bytes` in one read, in every two reads, and byte by byte: it must be the same. */
function linesInAnySplit(bytes: Buffer): string[] {
  const lines = linesOf(bytes)
  for (let at = 1; at < bytes.length; at++)
    expect(linesOf(bytes, [at, bytes.length]), `at ${at}`).toEqual(lines)
  expect(linesOf(bytes, [1])).toEqual(lines)
  return lines
}

describe('a close code', () => {
  it('of the registry, or of 3000 to 4999, may be sent', () => {
    for (const code of CODES.filter(maySend)) {
      expect(isValidCloseCode(code), String(code)).toBe(true)
      expect(() => checkClose(code, '')).not.toThrow()
    }
  })

  it('that is no other one may not, and neither may what is no whole number', () => {
    const odd = [...CODES.filter(code => !maySend(code)), 5000, 65_535, -1000, 1000.5, 3000.5, Number.NaN]
    for (const code of odd) {
      expect(isValidCloseCode(code), String(code)).toBe(false)
      expect(() => checkClose(code, '')).toThrow(StateError)
    }
    for (const code of ['1000', null, undefined, {}] as never[]) {
      expect(() => checkClose(code, '')).toThrow(StateError)
    }
  })

  it('from the peer is answered with itself, or is a violation: every one from 0 to 5000', () => {
    for (const code of CODES) {
      const session = new ProtocolSession().receive(close(code, 'bye'))
      const { protocol, lines } = session
      session.end()
      if (maySend(code)) {
        expect(lines).toEqual([`send close ${code}`, 'finish'])
        expect([protocol.closeCode, protocol.closeReason, protocol.error]).toEqual([code, 'bye', undefined])
      } else {
        expect(lines).toEqual([`send close 1002 ${frameError(15).message}`, 'finish'])
        expect(protocol.closeCode).toBe(1002)
        expect(protocol.error?.code).toBe('ERR_CLOSE_CODE')
      }
    }
  })
})

describe('a close reason', () => {
  it('is a string of at most 123 bytes', () => {
    expect(() => checkClose(1000, 'é'.repeat(61))).not.toThrow()
    expect(() => checkClose(1000, 'é'.repeat(62))).toThrow('at most 123 bytes')
    expect(() => checkClose(1000, 5 as never)).toThrow(StateError)
  })

  it.each(['', 'bye', 'schön, 走', 'x'.repeat(123)])('%j goes there and back', reason => {
    expect(parseClose(serializeClose(4000, reason))).toEqual({ code: 4000, reason })
  })

  it('is empty for 1005, which is never on the wire', () => {
    expect(serializeClose(1005, 'ignored')).toHaveLength(0)
    expect(parseClose(Buffer.alloc(0))).toEqual({ code: 1005, reason: '' })
  })

  it('of every error of the codec fits a Close frame', () => {
    for (let number = 0; number < 16; number++) {
      const { closeCode, message } = frameError(number)
      expect(() => checkClose(closeCode, message)).not.toThrow()
    }
  })
})

describe('the closing handshake from the peer', () => {
  const table: [name: string, bytes: Buffer, lines: string[], code: number][] = [
    ['with a code', close(1001, 'going'), ['send close 1001', 'finish'], 1001],
    ['without a code', close(), ['send close 1005', 'finish'], 1005],
    [
      'with a reason that is not UTF-8',
      close(1000, Buffer.from([0x61, 0xff])),
      [`send close 1007 ${frameError(13).message}`, 'finish'],
      1007,
    ],
    [
      'with a reason that ends inside a character',
      close(1000, Buffer.from([0xe2, 0x82])),
      [`send close 1007 ${frameError(13).message}`, 'finish'],
      1007,
    ],
    [
      'with half a code',
      frame(8, Buffer.from([3])),
      [`send close 1002 ${frameError(14).message}`, 'finish'],
      1002,
    ],
    [
      'inside a fragmented message',
      Buffer.concat([text('a', { fin: false }), close(1000), continuation('b')]),
      ['send close 1000', 'finish'],
      1000,
    ],
    [
      'with data, pings and another Close after it',
      Buffer.concat([close(1000), text('late'), ping('late'), pong(), close(1001), binary('x')]),
      ['send close 1000', 'finish'],
      1000,
    ],
    [
      'with garbage after it',
      Buffer.concat([close(1000), Buffer.alloc(40, 0xff)]),
      ['send close 1000', 'finish'],
      1000,
    ],
    [
      'after messages of the same segment',
      Buffer.concat([text('1'), ping('p'), fragments(2, ['2', '3']), close(3000)]),
      ['text 1', 'ping p', 'binary 23', 'send close 3000', 'finish'],
      3000,
    ],
  ]

  it.each(table)('%s', (_, bytes, lines, code) => {
    expect(linesInAnySplit(bytes)).toEqual(lines)
    const session = new ProtocolSession().receive(bytes)
    expect(session.protocol.closeCode).toBe(code)
    session.end()
    expect(session.protocol.closeCode).toBe(code)
  })
})

describe('the closing handshake from here', () => {
  it('discards what comes until the answer, which is taken as it is', () => {
    const rest = Buffer.concat([text('late'), ping('late'), fragments(1, ['a', 'b']), pong(), close(1000)])
    for (let size = 1; size <= rest.length; size++) {
      const session = new ProtocolSession().receive(text('before'))
      session.protocol.close(4000, 'enough')
      session.protocol.close(4001, 'twice')
      expect(session.protocol.closeCode).toBe(1006)
      session.receive(rest, size)
      session.end()
      expect(session.lines).toEqual(['text before', 'send close 4000 enough', 'finish'])
      expect(session.protocol.closeCode).toBe(1000)
    }
  })

  it('is over at a violation, without a second Close frame', () => {
    const session = new ProtocolSession()
    session.protocol.close(1001, '')
    session.receive(Buffer.concat([frame(3), close(1000)]))
    session.end()
    expect(session.lines).toEqual(['send close 1001', 'finish'])
    expect(session.protocol.closeCode).toBe(1006)
    expect(session.protocol.error?.code).toBe('ERR_FRAME_RESERVED_OPCODE')
  })

  it('keeps 1006 when the peer only ends TCP', () => {
    const session = new ProtocolSession()
    session.protocol.close(1001, '')
    session.protocol.receiveEnd()
    session.protocol.receiveEnd()
    session.end()
    expect(session.lines).toEqual(['send close 1001', 'finish'])
    expect(session.protocol.closeCode).toBe(1006)
  })

  it('in a handler stops what follows in the same read', () => {
    const session = new ProtocolSession()
    session.owner.onLine = line => {
      if (line === 'text 2') session.protocol.close(1000, '')
    }
    session.receive(Buffer.concat([text('1'), text('2'), text('3'), ping(), close(1000), text('4')]))
    session.end()
    expect(session.lines).toEqual(['text 1', 'text 2', 'send close 1000', 'finish'])
  })
})

describe('a violation', () => {
  const rsv = text('x', { rsv: 4 })
  const table: [name: string, bytes: Buffer, error: number][] = [
    ['a reserved bit', rsv, 1],
    ['a reserved opcode', frame(0xb), 2],
    ['a fragmented Ping', frame(9, '', { fin: false }), 3],
    ['a Ping of 126 bytes', ping(Buffer.alloc(126)), 4],
    ['a continuation of nothing', continuation('x'), 5],
    ['a message inside a message', Buffer.concat([text('a', { fin: false }), text('b')]), 6],
    ['a frame without a mask', text('x', { mask: null }), 7],
    ['a length that is not minimal', text('x', { lengthBits: 16 }), 9],
    ['a length of 64 bits that is not minimal', text('x', { lengthBits: 64 }), 9],
    ['a length with its top bit', text('', { lengthBits: 64, announced: 2n ** 63n }), 10],
    ['a frame over the limit', text('', { announced: 2n ** 20n + 1n }), 11],
    ['the longest frame there is', text('', { announced: 2n ** 63n - 1n }), 11],
    ['text that is not UTF-8', text(Buffer.from([0x61, 0xc0, 0x80])), 13],
    ['text that ends inside a character', text(Buffer.from([0xe2, 0x82])), 13],
    ['a Close of one byte', frame(8, 'x'), 14],
    ['a close code of 1005', close(1005), 15],
  ]

  it.each(table)(
    '%s: what came before is delivered, then one Close frame, then nothing',
    (_, bad, number) => {
      const { closeCode, message, code } = frameError(number)
      const bytes = Buffer.concat([
        text('before'),
        ping('p'),
        fragments(1, ['é', '!']),
        bad,
        text('after'),
        ping(),
        close(1000),
      ])
      expect(linesInAnySplit(bytes)).toEqual([
        'text before',
        'ping p',
        'text é!',
        `send close ${closeCode} ${message}`,
        'finish',
      ])
      const session = new ProtocolSession().receive(bytes)
      expect(session.protocol.closeCode).toBe(closeCode)
      expect(session.protocol.error?.code).toBe(code)
      session.end()
    },
  )

  it('of UTF-8 ends the connection before the frame is complete', () => {
    const bytes = text(Buffer.concat([Buffer.from('ok '), Buffer.from([0xff]), Buffer.alloc(500, 0x61)]))
    const session = new ProtocolSession().receive(bytes.subarray(0, 12), 1)
    expect(session.lines).toEqual([`send close 1007 ${frameError(13).message}`, 'finish'])
    session.end()
  })
})

describe('the end of TCP', () => {
  it('without a Close frame is 1006, and nothing is sent', () => {
    const session = new ProtocolSession().receive(text('a', { fin: false }))
    session.protocol.receiveEnd()
    session.end()
    expect(session.lines).toEqual(['finish'])
    expect(session.protocol.closeCode).toBe(1006)
  })

  it('is not told twice, nor after abort', () => {
    const session = new ProtocolSession()
    session.protocol.abort()
    session.protocol.receiveEnd()
    session.receive(text('late'))
    session.protocol.close(1000, '')
    session.protocol.fail(frameError(1))
    session.end()
    session.protocol.abort()
    expect(session.lines).toEqual([])
    expect(session.protocol.closeCode).toBe(1006)
  })
})
