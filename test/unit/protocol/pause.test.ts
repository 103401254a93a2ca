import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameError } from '../../../src/errors.js'
import { frame, text } from '../../support/frames.js'
import { binary, close, continuation, fragments, ping, pong } from '../../support/peer-frames.js'
import { linesOf, ProtocolSession } from '../../support/protocol-session.js'

/** One of everything, and a violation at the end. */
const EVERYTHING = Buffer.concat([
  text('one'),
  ping('two'),
  text('three ', { fin: false }),
  pong('four'),
  continuation('fivé'),
  binary(''),
  binary('six'),
  text(''),
  frame(3),
])
const EXPECTED = [
  'text one',
  'ping two',
  'pong four',
  'text three fivé',
  'binary',
  'binary six',
  'text',
  `send close 1002 ${frameError(2).message}`,
  'finish',
]

function pausingAfter(lines: number): ProtocolSession {
  const session = new ProtocolSession()
  session.owner.onLine = () => {
    if (session.lines.length % lines === 0) session.protocol.paused = true
  }
  return session
}

describe('a paused protocol', () => {
  it('delivers nothing, and everything in order once it goes on', () => {
    for (let size = 1; size <= EVERYTHING.length; size++) {
      const session = new ProtocolSession()
      session.protocol.paused = true
      session.receive(EVERYTHING, size)
      expect(session.lines).toEqual([])
      expect(session.protocol.holds).toBe(true)
      session.protocol.resume()
      session.end()
      expect(session.lines).toEqual(EXPECTED)
    }
  })

  it('holds the rest of a read from the very next frame on, again and again', () => {
    for (const every of [1, 2, 3]) {
      for (let size = 1; size <= EVERYTHING.length; size++) {
        const session = pausingAfter(every)
        session.receive(EVERYTHING, size)
        for (let i = every; i < 7; i += every) {
          expect(session.lines).toHaveLength(i)
          session.protocol.resume()
        }
        session.protocol.resume()
        expect(session.lines).toEqual(EXPECTED)
        expect(session.protocol.holds).toBe(false)
        session.end()
      }
    }
  })

  it('holds the end of a long message', () => {
    const long = 'ä'.repeat(80_000)
    const bytes = Buffer.concat([text(long), text('next')])
    const session = new ProtocolSession()
    session.receive(bytes.subarray(0, 50_000), 1000)
    session.protocol.paused = true
    session.receive(bytes.subarray(50_000), 1000)
    expect(session.lines).toEqual([])
    session.protocol.resume()
    session.end()
    expect(session.messages).toEqual([long, 'next'])
  })

  it('sends its own Close, and finds the answer of the peer among what was held', () => {
    const session = new ProtocolSession()
    session.protocol.paused = true
    session.receive(Buffer.concat([text('held'), ping('held'), close(1000, 'ok'), text('late')]), 5)
    session.protocol.close(1000, '')
    expect(session.lines).toEqual(['send close 1000'])
    session.protocol.resume()
    session.end()
    expect(session.lines).toEqual(['send close 1000', 'finish'])
    expect([session.protocol.closeCode, session.protocol.closeReason]).toEqual([1000, 'ok'])
  })

  it('forgets what it held when the connection is cut', () => {
    const session = new ProtocolSession()
    session.protocol.paused = true
    session.receive(Buffer.concat([text('held'), close(1000)]))
    session.protocol.abort()
    expect(session.protocol.holds).toBe(false)
    session.protocol.resume()
    session.end()
    expect(session.lines).toEqual([])
    expect(session.protocol.closeCode).toBe(1006)
  })

  it('holds nothing when its handler pauses and ends in one', () => {
    for (const end of ['abort', 'receiveEnd'] as const) {
      const session = new ProtocolSession()
      session.owner.onLine = line => {
        if (line !== 'text 1') return
        session.protocol.paused = true
        session.protocol[end]()
      }
      session.receive(Buffer.concat([text('1'), text('2')]))
      expect(session.protocol.holds).toBe(false)
      session.end()
    }
  })

  it('tells the same as one that never pauses, for any frames, reads and pauses', () => {
    const payload = fc.string({ maxLength: 150 })
    const anything = fc.oneof(
      payload.map(sent => text(sent)),
      payload.map(sent => binary(sent)),
      payload.map(sent => ping(sent.slice(0, 20))),
      fc.array(payload, { minLength: 2, maxLength: 4 }).map(parts => fragments(1, parts)),
    )
    const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(
        fc.array(anything, { maxLength: 12 }),
        sizes,
        fc.integer({ min: 1, max: 5 }),
        (frames, reads, every) => {
          const bytes = Buffer.concat([...frames, close(1000)])
          const session = pausingAfter(every)
          session.receive(bytes, ...reads)
          for (let i = 0; i < 100 && session.protocol.holds; i++) session.protocol.resume()
          session.end()
          expect(session.lines).toEqual(linesOf(bytes))
        },
      ),
      { numRuns: 300 },
    )
  })
})
