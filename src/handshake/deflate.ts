import type { Extension, ExtensionParameter } from './extensions.js'

/**
 * Negotiation of permessage-deflate (RFC 7692 7.1): offers in, what both ends keep to and the response out.
 */

/** RFC 7692 7.1.2: the largest window, as a power of two, in bytes. It is what no limit means. */
const MAX_WINDOW_BITS = 15

const NAME = 'permessage-deflate'
const SERVER_NO_CONTEXT_TAKEOVER = 'server_no_context_takeover'
const CLIENT_NO_CONTEXT_TAKEOVER = 'client_no_context_takeover'
const SERVER_MAX_WINDOW_BITS = 'server_max_window_bits'
const CLIENT_MAX_WINDOW_BITS = 'client_max_window_bits'

/** 8 to 15 in decimal, without leading zeros (RFC 7692 7.1.2.1). */
const WINDOW_BITS = /^(?:[89]|1[0-5])$/

/** What both ends keep to. */
export interface DeflateAgreement {
  /** The server compresses each message without the ones before. */
  readonly serverNoContextTakeover: boolean
  /** The client does. */
  readonly clientNoContextTakeover: boolean
  /** The server refers to at most 2^this bytes before. 8 to 15. */
  readonly serverMaxWindowBits: number
  /** The client does. 8 to 15. */
  readonly clientMaxWindowBits: number
}

/** What a client offers (RFC 7692 7.1). */
interface Offer {
  serverNoContextTakeover: boolean
  clientNoContextTakeover: boolean
  /** Undefined where the client does not ask for a limit. */
  serverMaxWindowBits: number | undefined
  /** Undefined where the client does not know the parameter: then the response must not have it (RFC 7692 7.1.2.2). */
  clientMaxWindowBits: number | undefined
}

/**
 * Accepts the first offer of permessage-deflate that can be: one with an unknown parameter, one twice, or a value that
 * is not allowed is declined (RFC 7692 7.1) and the next is looked at.
 *
 * @param offers all extensions that the client offers, in its order of preference
 * @param wanted what the server would like. The flags are asked for whether they were offered or not, which the RFC
 *   allows (7.1.1); `clientMaxWindowBits` only where the client says that it can, else its window has 15 bits
 * @returns undefined where no offer can be accepted: the connection goes on without compression
 */
export function negotiateDeflate(
  offers: readonly Extension[],
  wanted: DeflateAgreement,
): { agreement: DeflateAgreement; response: Extension } | undefined {
  for (const extension of offers) {
    if (extension.name !== NAME) continue
    const offer = parseOffer(extension.parameters)
    if (offer === undefined) continue
    const agreement = {
      serverNoContextTakeover: offer.serverNoContextTakeover || wanted.serverNoContextTakeover,
      clientNoContextTakeover: offer.clientNoContextTakeover || wanted.clientNoContextTakeover,
      serverMaxWindowBits: Math.min(offer.serverMaxWindowBits ?? MAX_WINDOW_BITS, wanted.serverMaxWindowBits),
      clientMaxWindowBits:
        offer.clientMaxWindowBits === undefined
          ? MAX_WINDOW_BITS
          : Math.min(offer.clientMaxWindowBits, wanted.clientMaxWindowBits),
    }
    return { agreement, response: responseOf(agreement, offer) }
  }
  return undefined
}

/** @returns undefined for an offer that must be declined */
function parseOffer(parameters: readonly ExtensionParameter[]): Offer | undefined {
  const offer: Offer = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: undefined,
    clientMaxWindowBits: undefined,
  }
  for (const [index, { name, value }] of parameters.entries()) {
    if (parameters.findIndex(parameter => parameter.name === name) !== index) return undefined
    switch (name) {
      case SERVER_NO_CONTEXT_TAKEOVER:
        if (value !== undefined) return undefined
        offer.serverNoContextTakeover = true
        break
      case CLIENT_NO_CONTEXT_TAKEOVER:
        if (value !== undefined) return undefined
        offer.clientNoContextTakeover = true
        break
      case SERVER_MAX_WINDOW_BITS:
        if (value === undefined || !WINDOW_BITS.test(value)) return undefined
        offer.serverMaxWindowBits = Number(value)
        break
      case CLIENT_MAX_WINDOW_BITS:
        // Without a value it says that the client knows the parameter.
        if (value !== undefined && !WINDOW_BITS.test(value)) return undefined
        offer.clientMaxWindowBits = value === undefined ? MAX_WINDOW_BITS : Number(value)
        break
      default:
        return undefined
    }
  }
  return offer
}

function responseOf(agreement: DeflateAgreement, offer: Offer): Extension {
  const parameters: ExtensionParameter[] = []
  const { serverMaxWindowBits, clientMaxWindowBits } = agreement
  if (agreement.serverNoContextTakeover) {
    parameters.push({ name: SERVER_NO_CONTEXT_TAKEOVER, value: undefined })
  }
  if (agreement.clientNoContextTakeover) {
    parameters.push({ name: CLIENT_NO_CONTEXT_TAKEOVER, value: undefined })
  }
  // RFC 7692 7.1.2.1: an offer with this parameter is accepted by a response with it.
  if (offer.serverMaxWindowBits !== undefined || serverMaxWindowBits < MAX_WINDOW_BITS) {
    parameters.push({ name: SERVER_MAX_WINDOW_BITS, value: String(serverMaxWindowBits) })
  }
  if (clientMaxWindowBits < MAX_WINDOW_BITS) {
    parameters.push({ name: CLIENT_MAX_WINDOW_BITS, value: String(clientMaxWindowBits) })
  }
  return { name: NAME, parameters }
}
