import type { Acceptance } from '../app.js'

/**
 * The key of a function that is told both heads of the opening handshake as they are on the wire, one character per
 * byte. Nobody outside of the package has the key; it is for the page of the built-in application, which shows them:
 * a browser does not.
 */
export const WITNESS: unique symbol = Symbol('witness')

/** An acceptance that wants to know what its handshake looked like. */
export interface WitnessedAcceptance<Data> extends Acceptance<Data> {
  [WITNESS](request: string, response: string): void
}

/** Tells an acceptance of the `upgrade` hook both heads, where it wants to know them. */
export function tellWitness(acceptance: Acceptance<unknown>, request: string, response: string): void {
  if (WITNESS in acceptance) (acceptance as WitnessedAcceptance<unknown>)[WITNESS](request, response)
}
