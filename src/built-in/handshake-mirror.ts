import type { UpgradeRequest } from '../app.js'
import { WITNESS, type WitnessedAcceptance } from '../connection/witness.js'

/** The subprotocol of connections that get one message, their own opening handshake, and are closed. */
export const HANDSHAKE_PROTOCOL = 'shardws.handshake'

/** Both heads, one character per byte. */
export interface Handshake {
  request: string
  response: string
}

/** Fields whose values a script in a browser must not learn, by the rest of their line (RFC 6265 4.1.2.6). */
const SECRET = /^((?:cookie|authorization|proxy-authorization):[\t ]*)([^\r\n]*)/gim

/**
 * Accepts a client that asks for its own handshake; undefined for all others.
 *
 * Only pages of this very origin may ask: what stands in the request may be more than another site should know of a
 * visitor, such as what a proxy adds. Cookies and credentials are not told to those either: each of their characters
 * is replaced by an asterisk.
 */
export function mirrorHandshake(request: UpgradeRequest): WitnessedAcceptance<Handshake> | undefined {
  if (!request.protocols.includes(HANDSHAKE_PROTOCOL)) return undefined
  const { origin, host } = request.headers
  if (origin === undefined || host === undefined || origin.replace(/^https?:\/\//, '') !== host) {
    return undefined
  }
  const data: Handshake = { request: '', response: '' }
  return {
    data,
    protocol: HANDSHAKE_PROTOCOL,
    [WITNESS](asked, answered) {
      data.request = asked.replace(
        SECRET,
        (_, name: string, value: string) => name + '*'.repeat(value.length),
      )
      data.response = answered
    },
  }
}
