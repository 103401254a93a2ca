import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpVisit } from '../connection/environment.js'

/** Requests of a connection that may wait for their answers before more of it is read. */
const MOST_UNANSWERED = 32

/** A connection at HTTP, and the requests on it that are not answered yet. */
export class Guest {
  readonly visit: HttpVisit
  /** Requests that have come. */
  requests = 0
  /** Those in progress count as a connection of their client. */
  isCounted = false
  /** Called when there are none. */
  leave: (() => void) | undefined
  /** The answer to the latest of them. */
  latest: ServerResponse | undefined
  readonly #unanswered = new Set<ServerResponse>()
  /** Nothing that comes now will be answered. */
  #isSpent = false

  constructor(visit: HttpVisit) {
    this.visit = visit
  }

  get unanswered(): number {
    return this.#unanswered.size
  }

  /** A request has come. */
  begin(request: IncomingMessage, response: ServerResponse): void {
    const { input } = this.visit
    this.latest = response
    this.#unanswered.add(response)
    if (this.unanswered >= MOST_UNANSWERED) input.withhold()
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers
    if (length !== undefined && coding === undefined) input.expectBody(Number(length))
  }

  /** More has come than the connection may bring: nothing of it is looked at, however long the last answer takes. */
  spend(): void {
    this.#isSpent = true
    this.visit.input.withhold()
  }

  /** It is answered, or never will be. */
  end(response: ServerResponse): void {
    const { input } = this.visit
    this.#unanswered.delete(response)
    if (!this.#isSpent && input.isWithheld && this.unanswered < MOST_UNANSWERED) input.release()
  }

  /** Whether somebody listens to a time-out that was set for a request or a response: what Node asks before it ends one. */
  get hearsTimeout(): boolean {
    const request = this.latest?.req
    if (request?.complete === false && request.listenerCount('timeout') > 0) return true
    // Of those that wait for their turn to be written nobody is told.
    const [current] = this.#unanswered
    return current !== undefined && current.listenerCount('timeout') > 0
  }
}
