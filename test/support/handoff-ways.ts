import type { TestOptions } from 'vitest'
import { findHandoff, type HandoffWay } from '../../src/primary/handoff.js'
import { needs } from '../needs.js'

const canTransfer = await findHandoff('transfer').then(
  () => true,
  () => false,
)

/** The ways sockets get to shards, with the options of the tests that force each. */
export const handoffWays: readonly { way: HandoffWay; options: TestOptions }[] = [
  {
    way: 'transfer',
    options: needs(canTransfer, 'needs sockets that can be transferred (Node >= 24.21 or >= 26.6)'),
  },
  { way: 'descriptor', options: {} },
]
