import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SendStatus } from '../../../src/socket.js'
import { framesOf, MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { parseServerFrames, ping } from '../../support/peer-frames.js'

/*
 * Any script of sends, Pings, closes, kernels and turns against what must come of it: each peer gets exactly what was
 * accepted for it, in order, nothing of anybody else, and no byte after a Close.
 */

const PEERS = 3

const length = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 200 }) },
  { weight: 3, arbitrary: fc.integer({ min: 200, max: 17_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 16_000, max: 90_000 }) },
)
const peer = fc.nat(PEERS - 1)
const capacity = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 300, max: 100_000 }))

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('text', 'wide text', 'binary'), peer, length }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('ping'), peer, length: fc.nat(125) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('be pinged'), peer, length: fc.nat(125) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('take'), peer, length: capacity }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('refuse'), peer, length: capacity }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('turn'), peer, length: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close'), peer, length: fc.nat(100) }) },
)

const headerOf = (payload: number): number => (payload < 126 ? 2 : payload < 65_536 ? 4 : 10)

describe('what peers get', () => {
  it.each(['close', 'drop'] as const)('is what was accepted for them, with policy %s', async policy => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async steps => {
        const shard = new MemoryShard({}, { backpressurePolicy: policy, maxBackpressure: 60_000 })
        const peers = Array.from({ length: PEERS }, () => ({
          ...shard.connect(),
          accepted: [] as Buffer[],
          acceptedBytes: 0,
          closed: false,
        }))
        let number = 0
        for (const { do: what, peer: index, length: size } of steps) {
          const { connection, transport } = peers[index]
          const model = peers[index]
          const accept = (opcode: number, payload: Buffer, status: SendStatus): void => {
            if (status === 'dropped') {
              if (connection.readyState !== 'open' && !model.closed) {
                expect(policy).toBe('close')
                model.closed = true
                const reason = 'more than maxBackpressure bytes wait for the peer'
                model.accepted.push(
                  Buffer.concat([Buffer.from([8, 1008 >> 8, 1008 & 255]), Buffer.from(reason)]),
                )
                model.acceptedBytes += 4 + reason.length
              }
              return
            }
            expect(model.closed).toBe(false)
            model.accepted.push(Buffer.concat([Buffer.from([opcode]), payload]))
            model.acceptedBytes += headerOf(payload.length) + payload.length
          }
          const filler = String.fromCharCode(97 + (number++ % 26))
          if (what === 'text' || what === 'wide text') {
            const sent = (what === 'text' ? filler : 'é走😀'[number % 2]).repeat(Math.ceil(size / 2))
            accept(1, Buffer.from(sent), connection.send(sent))
          } else if (what === 'binary') {
            const sent = Buffer.alloc(size, filler)
            const copy = Buffer.from(sent)
            const status = connection.send(sent)
            sent.fill(0)
            accept(2, copy, status)
          } else if (what === 'ping') {
            const sent = Buffer.alloc(size, filler)
            accept(9, sent, connection.ping(sent))
          } else if (what === 'be pinged') {
            transport.feed(ping(Buffer.alloc(size, filler)))
          } else if (what === 'take') transport.take(size)
          else if (what === 'refuse') transport.capacity = Math.min(transport.capacity, size)
          else if (what === 'turn') await turnEnd()
          else if (!model.closed) {
            model.closed = true
            connection.close(1000)
            model.accepted.push(Buffer.from([8, 1000 >> 8, 1000 & 255]))
            model.acceptedBytes += 4
          }
          // Every byte is accounted for. (Pongs are the protocol's own; they are counted from what was received.)
          if (!steps.some(other => other.do === 'be pinged')) {
            for (const one of peers) {
              const underWay = one.transport.underWay
              const expected = one.acceptedBytes - one.transport.sent.length + underWay
              expect(one.connection.bufferedAmount).toBe(expected)
            }
          }
        }
        for (let i = 0; i < 3; i++) {
          await turnEnd()
          for (const { transport } of peers) transport.take()
        }
        for (const { connection, transport, accepted } of peers) {
          expect(connection.bufferedAmount).toBe(0)
          const got = parseServerFrames(transport.sent)
            .filter(({ opcode }) => opcode !== 10)
            .map(({ opcode, payload }) => Buffer.concat([Buffer.from([opcode]), payload]))
          expect(got.length).toBe(accepted.length)
          expect(got.every((one, i) => one.equals(accepted[i]))).toBe(true)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('is one write each in a turn that the kernel takes, whatever is sent to whom', async () => {
    const small = fc.record({ peer, text: fc.string({ maxLength: 60 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(small, { maxLength: 100 }), async messages => {
        const shard = new MemoryShard()
        const peers = Array.from({ length: PEERS }, () => shard.connect())
        for (const { peer: index, text } of messages) peers[index].connection.send(text)
        await turnEnd()
        for (const [index, { transport }] of peers.entries()) {
          const mine = messages.filter(message => message.peer === index)
          expect(transport.calls).toHaveLength(mine.length === 0 ? 0 : 1)
          expect(framesOf(transport)).toEqual(mine.map(({ text }) => (text === '' ? 'text' : `text ${text}`)))
        }
      }),
      { numRuns: 50 },
    )
  })
})
