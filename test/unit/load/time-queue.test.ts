import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TimeQueue } from '../../../src/load/time-queue.js'

it('is first in, first out, however it grows', () => {
  const steps = fc.array(fc.oneof({ weight: 2, arbitrary: fc.constant(true) }, fc.constant(false)), {
    maxLength: 500,
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), steps, (capacity, pushes) => {
      const queue = new TimeQueue(capacity)
      const model: number[] = []
      for (const [time, push] of pushes.entries()) {
        if (push) {
          queue.push(time)
          model.push(time)
        } else if (model.length > 0) expect(queue.shift()).toBe(model.shift())
        expect(queue.length).toBe(model.length)
        expect(queue.first).toBe(model[0])
      }
    }),
  )
})
