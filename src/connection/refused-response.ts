import { HandshakeError } from '../errors.js'
import { refusalIndex } from '../handshake/refusals.js'
import { type RefusalFacts, serializeRefusal } from '../handshake/response.js'
import { Counter, count } from '../ledger.js'
import { Diagnostics } from './diagnostics.js'
import type { Environment } from './environment.js'
import { Outbox, type OutboxOwner } from './outbox.js'
import type { Transport } from './transport.js'

/**
 * The answer to an opening request that is refused. FIN follows it, and reading goes on until the client's FIN: closing
 * over unread bytes would send a reset, which can destroy the response on its way.
 */
export class RefusedResponse implements OutboxOwner {
  readonly #outbox: Outbox

  /**
   * Sends it, and reports it to whoever wants to know.
   *
   * @param method of the request, as far as it is known
   * @throws StateError for a refusal of the application's that can't be sent; nothing has happened then
   */
  constructor(
    environment: Environment,
    transport: Transport,
    refusal: HandshakeError | RefusalFacts,
    method: string | undefined,
  ) {
    const response = serializeRefusal(refusal, { date: new Date().toUTCString(), method })
    report(environment, transport, refusal)
    this.#outbox = new Outbox(this, transport, environment.turn, environment.counters)
    this.#outbox.sendHead(response)
    this.#outbox.endWhenEmpty()
  }

  written(): void {
    this.#outbox.written()
  }

  /** The transport has ended. */
  discard(): void {
    this.#outbox.discard()
  }

  outputWaits(): void {
    // The opening's deadline bounds it.
  }

  outputTaken(): void {
    // The opening's deadline bounds it.
  }
}

/** Counts the refusal, and tells the log and whoever traces. */
function report(
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
