import { HandshakeError } from '../errors.js'
import { refusalIndex } from '../handshake/refusals.js'
import type { RefusalFacts } from '../handshake/response.js'
import { Counter, count } from '../ledger.js'
import { Diagnostics } from './diagnostics.js'
import type { Environment } from './environment.js'
import type { Transport } from './transport.js'

/** Counts an opening request that is refused, and tells the log and whoever traces. */
export function reportRefusal(
  { counters, log }: Environment,
  { remoteAddress, remotePort }: Transport,
  refusal: HandshakeError | RefusalFacts,
): void {
  const { status } = refusal
  const isError = refusal instanceof HandshakeError
  const code = isError ? refusal.code : undefined
  count(counters, Counter.REFUSED)
  count(counters, Counter.REFUSALS + refusalIndex(code))
  const facts = { event: 'upgrade.refused', status, fault: code }
  log('debug', `refused: ${status} ${isError ? refusal.message : ''}`, undefined, facts)
  if (Diagnostics.REFUSED.hasSubscribers) {
    Diagnostics.REFUSED.publish({ status, code, remoteAddress, remotePort })
  }
}
