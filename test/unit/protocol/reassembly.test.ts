import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameError } from '../../../src/errors.js'
import { MessageBuffer } from '../../../src/protocol/message-buffer.js'
import { frame, text } from '../../support/frames.js'
import { binary, close, continuation, fragments, ping, pong } from '../../support/peer-frames.js'
import { linesOf, ProtocolSession } from '../../support/protocol-session.js'

/** The capacity of every Buffer that is made during `run`. */
function capacitiesOf(run: () => void): number[] {
  const capacities: number[] = []
  const allocate = Buffer.allocUnsafeSlow
  Buffer.allocUnsafeSlow = size => {
    capacities.push(size)
    return allocate(size)
  }
  try {
    run()
  } finally {
    Buffer.allocUnsafeSlow = allocate
  }
  return capacities
}

/** Frames of one byte each, all but the last without FIN. The masking key is 0, so that it can be repeated. */
function tinyFragments(count: number, byte: number): Buffer {
  const one = Buffer.from([0x00, 0x81, 0, 0, 0, 0, byte])
  const bytes = Buffer.concat([
    Buffer.from([0x02, 0x81, 0, 0, 0, 0, byte]),
    Buffer.alloc((count - 1) * 7, one),
  ])
  bytes[bytes.length - 7] = 0x80
  return bytes
}

describe('a message longer than a read', () => {
  it.each([
    ['text', text('x'.repeat(300_000))],
    ['text that is not ASCII', text('ü走😀'.repeat(30_000))],
    ['binary', binary(Buffer.alloc(300_000, 0x62))],
  ])('of %s comes whole, through one buffer of its size', (_, bytes) => {
    const size = bytes.length - 14
    for (const read of [65_536, 1000, 65_535]) {
      const session = new ProtocolSession()
      const capacities = capacitiesOf(() => session.receive(bytes, 7, read))
      session.end()
      expect(session.messages).toHaveLength(1)
      expect(Buffer.from(session.messages[0] as string)).toHaveLength(size)
      expect(capacities).toEqual([size])
    }
  })

  it('is the text that was sent, whichever byte the reads end at', () => {
    const sent = 'aé走😀z'.repeat(40)
    const bytes = text(sent)
    for (let at = 1; at < bytes.length; at++)
      expect(linesOf(bytes, [at, bytes.length])).toEqual([`text ${sent}`])
    expect(linesOf(bytes, [1])).toEqual([`text ${sent}`])
    expect(linesOf(bytes, [3])).toEqual([`text ${sent}`])
  })

  it('of binary is the application’s to keep: no copy, and nobody writes to it', () => {
    const session = new ProtocolSession()
    session.receive(
      Buffer.concat([binary(Buffer.alloc(70_000, 1)), binary('short'), binary(Buffer.alloc(70_000, 2))]),
    )
    session.end()
    const [first, short, second] = session.messages as Buffer[]
    expect(first.every(byte => byte === 1) && second.every(byte => byte === 2)).toBe(true)
    expect(short.toString()).toBe('short')
  })
})

describe('a fragmented message', () => {
  it('has its control frames answered in between, in any split', () => {
    const bytes = Buffer.concat([
      text('one ', { fin: false }),
      ping('split me'),
      continuation('', { fin: false }),
      pong('unasked'),
      continuation('twö ', { fin: false }),
      ping(),
      continuation('three'),
      binary('', { fin: false }),
      continuation(''),
      close(1000),
    ])
    const expected = [
      'ping split me',
      'pong unasked',
      'ping',
      'text one twö three',
      'binary',
      'send close 1000',
      'finish',
    ]
    expect(linesOf(bytes)).toEqual(expected)
    for (let size = 1; size < bytes.length; size++) expect(linesOf(bytes, [size])).toEqual(expected)
    for (let at = 1; at < bytes.length; at++) expect(linesOf(bytes, [at, bytes.length])).toEqual(expected)
  })

  it('of 70,000 pieces is fine', () => {
    const session = new ProtocolSession().receive(tinyFragments(70_000, 0x61))
    session.end()
    expect(session.messages).toEqual([Buffer.alloc(70_000, 0x61)])
  })

  it('of a million bytes costs no more than the limit, doubled while it grows', () => {
    const limit = 2 ** 20
    const session = new ProtocolSession()
    const bytes = tinyFragments(1_000_000, 0x61)
    const capacities = capacitiesOf(() => session.receive(bytes))
    session.end()
    expect((session.messages[0] as Buffer).length).toBe(1_000_000)
    expect(Math.max(...capacities)).toBeLessThanOrEqual(limit)
    expect(capacities.length).toBeLessThan(20)
  })

  it('never has a buffer over its limit', () => {
    for (const limit of [0, 1, 100, 700, 65_536, 100_000]) {
      const capacities = capacitiesOf(() => {
        const session = new ProtocolSession({ maxPayload: limit })
        session.receive(tinyFragments(limit + 2, 0x61), 500)
        expect(session.lines).toEqual([`send close 1009 ${frameError(11).message}`, 'finish'])
        session.end()
      })
      // The first buffer may have its least capacity, however low the limit is.
      expect(Math.max(0, ...capacities)).toBeLessThanOrEqual(Math.max(limit, 512))
    }
  })

  it('that announces much and brings little is not paid for before its last frame', () => {
    const capacities = capacitiesOf(() => {
      const session = new ProtocolSession({ maxPayload: 2 ** 29 })
      const head = frame(2, '', { fin: false, announced: 2 ** 28 })
      session.receive(Buffer.concat([head, Buffer.alloc(10)]))
      session.end()
    })
    expect(capacities).toEqual([64 * 1024])
  })

  it('comes as it was sent, for any pieces and any reads', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ minLength: 500, maxLength: 3000 }),
    )
    const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), sizes, (payloads, reads) => {
        const session = new ProtocolSession().receive(fragments(2, payloads), ...reads)
        session.end()
        expect(session.messages).toEqual([Buffer.concat(payloads)])
      }),
      { numRuns: 300 },
    )
  })

  it('of text comes as it was sent, cut anywhere in its characters', () => {
    const cut = fc.array(fc.nat(400), { maxLength: 6 })
    const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), cut, sizes, (sent, cuts, reads) => {
        const bytes = Buffer.from(sent)
        const at = [0, ...cuts.map(place => Math.min(place, bytes.length)), bytes.length].toSorted(
          (a, b) => a - b,
        )
        const payloads = at.slice(1).map((end, i) => bytes.subarray(at[i], end))
        const session = new ProtocolSession().receive(fragments(1, payloads), ...reads)
        session.end()
        expect(session.messages).toEqual([sent])
      }),
      { numRuns: 500 },
    )
  })
})

describe('the limits', () => {
  const tooBig = `send close 1009 ${frameError(11).message}`
  const tooMany = `send close 1008 ${frameError(12).message}`

  it('let a message of exactly maxPayload in and refuse one byte more, before its payload has come', () => {
    for (const maxPayload of [0, 1, 125, 126, 1000, 65_535, 65_536]) {
      const exact = Buffer.alloc(maxPayload, 0x61)
      expect(linesOf(text(exact), [], { maxPayload })).toEqual([`text ${exact.toString()}`.trim()])
      const over = text('', { announced: maxPayload + 1 })
      expect(linesOf(over, [], { maxPayload })).toEqual([tooBig, 'finish'])
      expect(linesOf(over, [1], { maxPayload })).toEqual([tooBig, 'finish'])
    }
  })

  it('count all frames of a message together', () => {
    const options = { maxPayload: 10 }
    expect(linesOf(fragments(1, ['12345', '67890']), [], options)).toEqual(['text 1234567890'])
    expect(linesOf(fragments(1, ['12345', '678901']), [], options)).toEqual([tooBig, 'finish'])
    expect(linesOf(fragments(1, ['1234567890', '', 'x']), [], options)).toEqual([tooBig, 'finish'])
    // The next message begins at nothing.
    const two = Buffer.concat([fragments(1, ['12345', '67890']), fragments(1, ['12345', '67890'])])
    expect(linesOf(two, [], options)).toEqual(['text 1234567890', 'text 1234567890'])
  })

  it('let maxFragments frames in and no more', () => {
    const options = { maxFragments: 3 }
    expect(linesOf(fragments(1, ['a', 'b', 'c']), [], options)).toEqual(['text abc'])
    expect(linesOf(fragments(1, ['a', 'b', 'c', 'd']), [], options)).toEqual([tooMany, 'finish'])
    expect(linesOf(fragments(1, ['', '', '', '']), [], options)).toEqual([tooMany, 'finish'])
    expect(linesOf(text('whole'), [], { maxFragments: 1 })).toEqual(['text whole'])
    expect(linesOf(fragments(1, ['a', 'b']), [], { maxFragments: 1 })).toEqual([tooMany, 'finish'])
  })
})

describe('views', () => {
  it('are of the arena for whole messages, of the assembled ones otherwise', () => {
    const session = new ProtocolSession({ views: true })
    const seen: string[] = []
    session.owner.onLine = line => seen.push(line)
    session.receive(Buffer.concat([text('é'), binary('b'), fragments(1, ['1', '2'])]))
    session.receive(text('x'.repeat(70_000)), 1000)
    session.end()
    expect(seen).toEqual(['text é', 'binary b', 'text 12', `text ${'x'.repeat(70_000)}`])
    expect(session.messages.every(Buffer.isBuffer)).toBe(true)
    // What the test's session writes over each read shows that there was no copy.
    expect(session.messages.slice(0, 2)).toEqual([Buffer.alloc(2, 0xee), Buffer.alloc(1, 0xee)])
  })
})

describe('MessageBuffer', () => {
  it('is what was appended, in whatever pieces', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 2000 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(pieces, payloads => {
        const whole = Buffer.concat(payloads)
        const buffer = new MessageBuffer(payloads[0].length, payloads.length === 1)
        for (const [i, payload] of payloads.entries()) {
          const source = Buffer.concat([Buffer.from('..'), payload, Buffer.from('..')])
          buffer.append(source, 2, 2 + payload.length, 0, i === payloads.length - 1, whole.length)
        }
        expect(buffer.take()).toEqual(whole)
      }),
    )
  })
})
