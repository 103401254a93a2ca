import { AddressSet, isLocal } from '../address.js'
import { clientKey } from '../client-key.js'
import type { ResolvedOptions } from '../serve-options.js'

/** As whom an accepted connection counts, made by `clientKey`; empty: as nobody. */
export interface Visitor {
  /** For `balance`. */
  readonly key: string
  /** For `maxConnectionsPerIp`. */
  readonly counted: string
  /** For `maxHandshakeRatePerIp`. */
  readonly rated: string
}

/** Where no address is looked at. */
export const ANYBODY: Visitor = { key: '', counted: '', rated: '' }

/**
 * Tells as whom connections count. A trusted proxy brings many clients and is none itself: the shards learn who they
 * are, and count them. From this machine itself come load tests, and proxies that nobody has listed, but no strangers: who
 * can start a process here is trusted. So the limits are for them only where somebody has set them.
 *
 * @returns for each `address` (that of the peer, or `unix`) its visitor
 */
export function createVisitors({ connection, localLimits }: ResolvedOptions): (address: string) => Visitor {
  const trusted = new AddressSet(connection.trustProxy)
  return address => {
    if (trusted.has(address)) return ANYBODY
    const key = clientKey(address)
    const isGuest = !isLocal(address)
    return {
      key,
      counted: isGuest || localLimits.maxConnectionsPerIp ? key : '',
      rated: isGuest || localLimits.maxHandshakeRatePerIp ? key : '',
    }
  }
}
