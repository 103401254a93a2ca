/**
 * The states of a connection and every way from one to another (RFC 6455 7). Small integers in the order in which
 * they are passed, so that `state >= ENDING` reads "nothing is delivered or sent any more".
 */

export const State = {
  /** Messages go both ways. */
  OPEN: 0,
  /** Our Close frame is sent, the peer's is awaited; what else comes is discarded (RFC 6455 5.5.1). */
  CLOSING: 1,
  /** No frame goes either way any more; TCP ends as soon as our output is out (RFC 6455 7.1.1). */
  ENDING: 2,
  /** The transport has ended. */
  CLOSED: 3,
} as const

export type State = (typeof State)[keyof typeof State]

/** What may happen to a connection. */
export const Cause = {
  /** The application, or a limit of ours, closes. */
  CLOSE_SENT: 0,
  /** The peer's Close frame. */
  CLOSE_RECEIVED: 1,
  /** The peer breaks a rule (RFC 6455 7.1.7). */
  VIOLATION: 2,
  /** The peer's FIN without a Close frame. */
  PEER_ENDED: 3,
  /** The application or a deadline cuts the connection. */
  ABORTED: 4,
  /** The transport has ended, however. */
  TRANSPORT_CLOSED: 5,
} as const

export type Cause = (typeof Cause)[keyof typeof Cause]

const { CLOSING, ENDING, CLOSED } = State

const TRANSITIONS: readonly (readonly State[])[] = [
  // CLOSE_SENT, CLOSE_RECEIVED, VIOLATION, PEER_ENDED, ABORTED, TRANSPORT_CLOSED
  /* OPEN    */ [CLOSING, ENDING, ENDING, ENDING, ENDING, CLOSED],
  /* CLOSING */ [CLOSING, ENDING, ENDING, ENDING, ENDING, CLOSED],
  /* ENDING  */ [ENDING, ENDING, ENDING, ENDING, ENDING, CLOSED],
  /* CLOSED  */ [CLOSED, CLOSED, CLOSED, CLOSED, CLOSED, CLOSED],
]

export function nextState(state: State, cause: Cause): State {
  return TRANSITIONS[state][cause]
}
