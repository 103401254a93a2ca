import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Backlog } from '../../../src/connection/backlog.js'

describe('Backlog', () => {
  it('is a queue of bytes, whatever is done to it', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 900, max: 5000 }))
    const step = fc.oneof(
      fc.record({ do: fc.constantFrom('append', 'copy', 'push', 'unshift'), size }),
      fc.record({ do: fc.constantFrom('drop', 'takePiece'), size }),
      fc.record({ do: fc.constant('peek'), size: fc.integer({ min: 1, max: 5 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), steps => {
        const backlog = new Backlog()
        let model: Buffer = Buffer.alloc(0)
        let next = 0
        const fresh = (length: number): Buffer => {
          const bytes = Buffer.alloc(length)
          for (let i = 0; i < length; i++) bytes[i] = next++ & 0xff
          return bytes
        }
        for (const { do: what, size: length } of steps) {
          if (what === 'append') {
            const bytes = fresh(length)
            bytes.copy(backlog.append(length))
            model = Buffer.concat([model, bytes])
          } else if (what === 'copy') {
            const bytes = fresh(length)
            const source = Buffer.concat([Buffer.from('<<'), bytes, Buffer.from('>')])
            backlog.copy(source, 2, 2 + length)
            source.fill(0)
            model = Buffer.concat([model, bytes])
          } else if (what === 'push') {
            const bytes = fresh(length)
            backlog.push(bytes)
            model = Buffer.concat([model, bytes])
          } else if (what === 'unshift') {
            const bytes = fresh(length)
            backlog.unshift(bytes)
            model = Buffer.concat([bytes, model])
          } else if (what === 'drop') {
            const dropped = Math.min(length, model.length)
            backlog.drop(dropped)
            model = model.subarray(dropped)
          } else if (what === 'takePiece') {
            if (model.length === 0) continue
            const piece = backlog.takePiece(length)
            expect(piece.length).toBeGreaterThan(0)
            expect(piece.length).toBeLessThanOrEqual(length)
            expect(piece.equals(model.subarray(0, piece.length))).toBe(true)
            model = model.subarray(piece.length)
          } else {
            const parts = backlog.peek(length)
            expect(parts.length).toBeLessThanOrEqual(length)
            const seen = Buffer.concat(parts)
            expect(seen.equals(model.subarray(0, seen.length))).toBe(true)
          }
          expect(backlog.length).toBe(model.length)
        }
        expect(Buffer.concat(backlog.peek(1000)).equals(model)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('gathers small pieces in few chunks', () => {
    const backlog = new Backlog()
    for (let i = 0; i < 100_000; i++) backlog.append(10).fill(i)
    expect(backlog.length).toBe(1_000_000)
    expect(backlog.peek(1000).length).toBeLessThan(40)
  })

  it('owns its last chunk after ownLast, as far as it is still there', () => {
    const backlog = new Backlog()
    const mine = Buffer.from('0123456789')
    backlog.append(1).write('>')
    backlog.push(mine)
    backlog.drop(4)
    backlog.ownLast()
    mine.fill(0x21)
    expect(Buffer.concat(backlog.peek(9)).toString()).toBe('3456789')
  })
})
