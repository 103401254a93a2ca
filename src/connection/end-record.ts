import { Counter, closeCounter, count, countLimit, type Limit } from '../ledger.js'
import type { Protocol } from '../protocol/protocol.js'
import type { Connection } from './connection.js'
import { Diagnostics } from './diagnostics.js'
import type { Environment } from './environment.js'

/** What the limits are counted as that say so with an error. */
const LIMIT_OF: ReadonlyMap<string | undefined, Limit> = new Map([
  ['ERR_MESSAGE_TOO_BIG', 'max_payload'],
  ['ERR_MESSAGE_TOO_MANY_FRAGMENTS', 'max_fragments'],
  ['ERR_BACKPRESSURE', 'max_backpressure'],
])

/** Counts a connection that has ended, and tells those who operate the server. */
export function recordEnd({ counters, log }: Environment, socket: Connection, machine: Protocol): void {
  const { closeCode: code, closeReason: reason } = machine
  const fault = machine.error?.code
  count(counters, closeCounter(code))
  count(counters, Counter.CLOSED)
  const limit = LIMIT_OF.get(fault)
  if (limit !== undefined) countLimit(counters, limit)
  const facts = { event: 'connection.closed', connection: socket.id, code, fault }
  log('debug', `connection ${socket.id} closed: ${code} ${fault ?? ''}`.trimEnd(), undefined, facts)
  if (Diagnostics.CLOSE.hasSubscribers) Diagnostics.CLOSE.publish({ socket, code, reason })
}
