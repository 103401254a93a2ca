import { describe, expect, it } from 'vitest'
import { Cause, nextState, State } from '../../../src/protocol/state.js'

const { OPEN, CLOSING, ENDING, CLOSED } = State

/** Every state and every cause, written down a second time. */
const EXPECTED = {
  CLOSE_SENT: [CLOSING, CLOSING, ENDING, CLOSED],
  CLOSE_RECEIVED: [ENDING, ENDING, ENDING, CLOSED],
  VIOLATION: [ENDING, ENDING, ENDING, CLOSED],
  PEER_ENDED: [ENDING, ENDING, ENDING, CLOSED],
  ABORTED: [ENDING, ENDING, ENDING, CLOSED],
  TRANSPORT_CLOSED: [CLOSED, CLOSED, CLOSED, CLOSED],
} as const

describe('the states of a connection', () => {
  it.each(Object.keys(Cause) as (keyof typeof Cause)[])('go on from %s as RFC 6455 7 says', cause => {
    const from = [OPEN, CLOSING, ENDING, CLOSED]
    expect(from.map(state => nextState(state, Cause[cause]))).toEqual(EXPECTED[cause])
  })

  it('are never left backwards', () => {
    for (const state of Object.values(State)) {
      for (const cause of Object.values(Cause)) expect(nextState(state, cause)).toBeGreaterThanOrEqual(state)
    }
  })
})
