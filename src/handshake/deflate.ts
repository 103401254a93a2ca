import { OptionError } from '../errors.js'
import type { Extension, ExtensionParameter } from './extensions.js'

/**
 * Negotiation of permessage-deflate (RFC 7692 7.1), of both ends: offers in, what both keep to and the response out;
 * and what a client offers, and makes of the response. A part of `shardws/codec`.
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

/** What a client offers (RFC 7692 7.1). What is left out, or undefined, is not asked for. */
export interface DeflateOffer {
  /** The server is to compress each message without the ones before. */
  readonly serverNoContextTakeover?: boolean
  /** The client is going to, whatever the answer; a hint. */
  readonly clientNoContextTakeover?: boolean
  /** The server is to refer to at most 2^this bytes before. 8 to 15. */
  readonly serverMaxWindowBits?: number | undefined
  /**
   * The server may limit the client's window, to this or less. 8 to 15. Undefined: the client does not know the
   * parameter, then the response must not have it (RFC 7692 7.1.2.2).
   */
  readonly clientMaxWindowBits?: number | undefined
}

/**
 * Accepts the first offer of permessage-deflate that can be: one with an unknown parameter, one twice, or a value that
 * is not allowed is declined (RFC 7692 7.1) and the next is looked at.
 *
 * @param offers all extensions that the client offers, in its order of preference
 * @param wanted what the server would like, by default anything. The flags are asked for whether they were offered or not, which the RFC
 *   allows (7.1.1); `clientMaxWindowBits` only where the client says that it can, else its window has 15 bits
 * @returns undefined where no offer can be accepted: the connection goes on without compression
 * @throws OptionError (`ERR_OPTION`) for window bits that are not 8 to 15
 */
export function negotiateDeflate(
  offers: readonly Extension[],
  wanted: Partial<DeflateAgreement> = {},
): { agreement: DeflateAgreement; response: Extension } | undefined {
  const most = {
    server: checkedBits('serverMaxWindowBits', wanted.serverMaxWindowBits),
    client: checkedBits('clientMaxWindowBits', wanted.clientMaxWindowBits),
  }
  for (const { name, parameters } of offers) {
    const offer = name === NAME ? parseParameters(parameters) : undefined
    if (offer === undefined) continue
    const agreement = {
      serverNoContextTakeover: offer.serverNoContextTakeover || wanted.serverNoContextTakeover === true,
      clientNoContextTakeover: offer.clientNoContextTakeover || wanted.clientNoContextTakeover === true,
      serverMaxWindowBits: Math.min(offer.serverMaxWindowBits ?? MAX_WINDOW_BITS, most.server),
      clientMaxWindowBits:
        offer.clientMaxWindowBits === undefined
          ? MAX_WINDOW_BITS
          : Math.min(offer.clientMaxWindowBits, most.client),
    }
    return { agreement, response: responseOf(agreement, offer) }
  }
  return undefined
}

/**
 * The offer of a client, for `serializeExtensions`. A client that would rather have something but takes less offers
 * both, in this order.
 *
 * @throws OptionError (`ERR_OPTION`) for window bits that are not 8 to 15
 */
export function offerDeflate(offer: DeflateOffer = {}): Extension {
  const { serverMaxWindowBits, clientMaxWindowBits } = offer
  const server = checkedBits('serverMaxWindowBits', serverMaxWindowBits)
  const client = checkedBits('clientMaxWindowBits', clientMaxWindowBits)
  const parameters = flagsOf(offer)
  if (serverMaxWindowBits !== undefined) parameters.push(bitsParameter(SERVER_MAX_WINDOW_BITS, server))
  // Without a value it says that the client knows the parameter.
  if (client < MAX_WINDOW_BITS) parameters.push(bitsParameter(CLIENT_MAX_WINDOW_BITS, client))
  else if (clientMaxWindowBits !== undefined) {
    parameters.push({ name: CLIENT_MAX_WINDOW_BITS, value: undefined })
  }
  return { name: NAME, parameters }
}

/**
 * Reads a server's answer to `offerDeflate(offer)`.
 *
 * @param response all extensions that the server has accepted
 * @returns what both ends keep to; `'none'` where the server does not compress; `'invalid'` where it has accepted what
 *   was not offered, or said what is not allowed: then the client must fail the connection (RFC 7692 7.1)
 */
export function checkDeflate(
  response: readonly Extension[],
  offer: DeflateOffer = {},
): DeflateAgreement | 'none' | 'invalid' {
  const accepted = response.filter(({ name }) => name === NAME)
  if (accepted.length === 0) return 'none'
  const [{ parameters }] = accepted
  const answer = parseParameters(parameters)
  if (accepted.length > 1 || answer === undefined) return 'invalid'
  const { serverNoContextTakeover, clientNoContextTakeover } = answer
  const { serverMaxWindowBits = MAX_WINDOW_BITS, clientMaxWindowBits = MAX_WINDOW_BITS } = answer
  // What the client asks for the server accepts by saying so (RFC 7692 7.1.1.1, 7.1.2.1).
  if (offer.serverNoContextTakeover === true && !serverNoContextTakeover) return 'invalid'
  if (offer.serverMaxWindowBits !== undefined) {
    if (answer.serverMaxWindowBits === undefined || serverMaxWindowBits > offer.serverMaxWindowBits)
      return 'invalid'
  }
  const asksClient = parameters.find(({ name }) => name === CLIENT_MAX_WINDOW_BITS)
  if (asksClient !== undefined) {
    // 7.1.2.2: only where it was offered, and with a value.
    if (offer.clientMaxWindowBits === undefined || asksClient.value === undefined) return 'invalid'
    if (clientMaxWindowBits > offer.clientMaxWindowBits) return 'invalid'
  }
  return { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits }
}

/** Of an offer or a response, which have the same grammar but for one value. */
interface Parameters {
  serverNoContextTakeover: boolean
  clientNoContextTakeover: boolean
  serverMaxWindowBits: number | undefined
  clientMaxWindowBits: number | undefined
}

/** @returns undefined for an offer that must be declined */
function parseParameters(parameters: readonly ExtensionParameter[]): Parameters | undefined {
  const found: Parameters = {
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
        found.serverNoContextTakeover = true
        break
      case CLIENT_NO_CONTEXT_TAKEOVER:
        if (value !== undefined) return undefined
        found.clientNoContextTakeover = true
        break
      case SERVER_MAX_WINDOW_BITS:
        if (value === undefined || !WINDOW_BITS.test(value)) return undefined
        found.serverMaxWindowBits = Number(value)
        break
      case CLIENT_MAX_WINDOW_BITS:
        // Without a value it says that the client knows the parameter.
        if (value !== undefined && !WINDOW_BITS.test(value)) return undefined
        found.clientMaxWindowBits = value === undefined ? MAX_WINDOW_BITS : Number(value)
        break
      default:
        return undefined
    }
  }
  return found
}

function responseOf(agreement: DeflateAgreement, offer: Parameters): Extension {
  const { serverMaxWindowBits, clientMaxWindowBits } = agreement
  const parameters = flagsOf(agreement)
  // RFC 7692 7.1.2.1: an offer with this parameter is accepted by a response with it.
  if (offer.serverMaxWindowBits !== undefined || serverMaxWindowBits < MAX_WINDOW_BITS) {
    parameters.push(bitsParameter(SERVER_MAX_WINDOW_BITS, serverMaxWindowBits))
  }
  if (clientMaxWindowBits < MAX_WINDOW_BITS) {
    parameters.push(bitsParameter(CLIENT_MAX_WINDOW_BITS, clientMaxWindowBits))
  }
  return { name: NAME, parameters }
}

function flagsOf(flags: DeflateOffer): ExtensionParameter[] {
  const names: string[] = []
  if (flags.serverNoContextTakeover === true) names.push(SERVER_NO_CONTEXT_TAKEOVER)
  if (flags.clientNoContextTakeover === true) names.push(CLIENT_NO_CONTEXT_TAKEOVER)
  return names.map(name => ({ name, value: undefined }))
}

function bitsParameter(name: string, bits: number): ExtensionParameter {
  return { name, value: String(bits) }
}

function checkedBits(name: string, bits: number = MAX_WINDOW_BITS): number {
  if (WINDOW_BITS.test(String(bits))) return bits
  throw new OptionError('ERR_OPTION', `${name} must be an integer from 8 to 15, not ${String(bits)}`)
}
