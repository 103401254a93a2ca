import { UNIX } from '../address.js'
import { clientKey } from '../client-key.js'
import type { HandshakeError } from '../errors.js'
import { type Endpoint, findClient } from '../handshake/forwarded.js'
import { handshakeError } from '../handshake/refusals.js'
import type { Request } from '../handshake/request.js'
import type { Environment } from './environment.js'
import type { Transport } from './transport.js'

/**
 * Who the client of a request is, where a trusted proxy says so in a header.
 *
 * @param announced what a PROXY header has said before
 * @returns undefined: who has the other end of the transport. An error when a trusted proxy's word can't be read
 */
export function clientOf(
  request: Request,
  { options, trusted }: Environment,
  transport: Transport,
  announced: Endpoint | undefined,
): Endpoint | HandshakeError | undefined {
  const { trustProxyHeader: header } = options
  if (trusted.isEmpty || header === 'none') return announced
  const { remoteAddress: address, remotePort: port } = transport
  const peer = announced ?? { address, port }
  const value = trusted.has(peer.address) ? request.get(header) : undefined
  if (value === undefined) return announced
  return findClient(value, header, peer, trusted) ?? handshakeError('ERR_HANDSHAKE_FORWARDED')
}

/**
 * Counts a client that a proxy has named; the primary has seen to those who connect themselves.
 *
 * @returns whether it may have one more connection
 */
export function isWithinLimit(
  client: Endpoint | undefined,
  { clients }: Environment,
  transport: Transport,
): boolean {
  if (clients === undefined || client === undefined || client.address === UNIX) return true
  return clients.take(transport.admission, clientKey(client.address))
}
