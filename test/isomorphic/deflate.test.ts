// Negotiation of permessage-deflate, both ends. These tests run in Node and in Chromium.
import { describe, expect, it } from 'vitest'
import {
  checkDeflate,
  type DeflateAgreement,
  type DeflateOffer,
  negotiateDeflate,
  offerDeflate,
  parseExtensions,
  serializeExtensions,
} from '../../src/codec/index.js'

const FLAGS = [false, true]
const BITS = [undefined, 8, 9, 12, 15]

const print = (offer: DeflateOffer): string => serializeExtensions([offerDeflate(offer)])
const read = (response: string, offer: DeflateOffer = {}) =>
  checkDeflate(parseExtensions(response) ?? [], offer)

describe('an offer', () => {
  it.each<[DeflateOffer, string]>([
    [{}, 'permessage-deflate'],
    [{ clientMaxWindowBits: 15 }, 'permessage-deflate; client_max_window_bits'],
    [{ clientMaxWindowBits: 10 }, 'permessage-deflate; client_max_window_bits=10'],
    [{ serverMaxWindowBits: 15 }, 'permessage-deflate; server_max_window_bits=15'],
    [
      {
        clientMaxWindowBits: 8,
        serverMaxWindowBits: 9,
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
      },
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=8',
    ],
  ])('%j is printed as %s', (offer, expected) => {
    expect(print(offer)).toBe(expected)
  })

  it('has window bits that there are', () => {
    for (const bits of [7, 16, 0, -8, 8.5, Number.NaN, '08' as never, null as never]) {
      const error = expect.objectContaining({ code: 'ERR_OPTION' }) as never
      expect(() => offerDeflate({ serverMaxWindowBits: bits })).toThrow(error)
      expect(() => offerDeflate({ clientMaxWindowBits: bits })).toThrow(error)
      expect(() => negotiateDeflate([], { serverMaxWindowBits: bits })).toThrow(error)
      expect(() => negotiateDeflate([], { clientMaxWindowBits: bits })).toThrow(error)
    }
  })

  it('of a browser is answered as the server would', () => {
    const offers = parseExtensions('permessage-deflate; client_max_window_bits') ?? []
    const agreement: DeflateAgreement = {
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
    }
    expect(negotiateDeflate(offers)).toEqual({
      agreement,
      response: { name: 'permessage-deflate', parameters: [] },
    })
    const small = negotiateDeflate(offers, { clientMaxWindowBits: 11, serverNoContextTakeover: true })
    expect(small?.agreement).toEqual({ ...agreement, clientMaxWindowBits: 11, serverNoContextTakeover: true })
    expect(serializeExtensions(small ? [small.response] : [])).toBe(
      'permessage-deflate; server_no_context_takeover; client_max_window_bits=11',
    )
  })

  it('of any kind, and any wish of a server, come to an agreement that both ends understand alike', () => {
    const settings = FLAGS.flatMap(serverNoContextTakeover =>
      FLAGS.flatMap(clientNoContextTakeover =>
        BITS.flatMap(serverMaxWindowBits =>
          BITS.map((clientMaxWindowBits): DeflateOffer & Partial<DeflateAgreement> =>
            Object.assign(
              { serverNoContextTakeover, clientNoContextTakeover },
              serverMaxWindowBits === undefined ? {} : { serverMaxWindowBits },
              clientMaxWindowBits === undefined ? {} : { clientMaxWindowBits },
            ),
          ),
        ),
      ),
    )
    let different = 0
    for (const offer of settings) {
      const offers = parseExtensions(print(offer)) ?? []
      for (const wanted of settings) {
        const result = negotiateDeflate(offers, wanted)
        const header = serializeExtensions(result ? [result.response] : [])
        const agreement = read(header, offer)
        if (JSON.stringify(agreement) !== JSON.stringify(result?.agreement)) {
          expect(agreement, `${print(offer)} answered by ${header}`).toEqual(result?.agreement)
        }
        if (header !== 'permessage-deflate') different++
      }
    }
    expect(different).toBeGreaterThan(1000)
  })
})

describe('a response', () => {
  const ALL: DeflateOffer = {
    serverMaxWindowBits: 12,
    clientMaxWindowBits: 12,
    serverNoContextTakeover: true,
  }

  it.each<[string, DeflateOffer]>([
    // What is not allowed anywhere.
    ['permessage-deflate; unknown', {}],
    ['permessage-deflate; server_no_context_takeover; server_no_context_takeover', {}],
    ['permessage-deflate; server_no_context_takeover=1', {}],
    ['permessage-deflate; server_max_window_bits', {}],
    ['permessage-deflate; server_max_window_bits=7', {}],
    ['permessage-deflate; server_max_window_bits=16', {}],
    ['permessage-deflate; server_max_window_bits=08', {}],
    ['permessage-deflate, permessage-deflate', {}],
    // What was not offered, or less than was asked for.
    ['permessage-deflate; client_max_window_bits=10', {}],
    ['permessage-deflate; client_max_window_bits', { clientMaxWindowBits: 15 }],
    ['permessage-deflate; client_max_window_bits=13', { clientMaxWindowBits: 12 }],
    ['permessage-deflate; server_max_window_bits=13', { serverMaxWindowBits: 12 }],
    ['permessage-deflate', { serverMaxWindowBits: 12 }],
    ['permessage-deflate', { serverNoContextTakeover: true }],
    ['permessage-deflate; server_max_window_bits=12', ALL],
  ])('%s to %j fails the connection', (response, offer) => {
    expect(read(response, offer)).toBe('invalid')
  })

  it.each<[string, DeflateOffer, string]>([
    ['permessage-deflate', {}, 'false false 15 15'],
    ['x, permessage-deflate', {}, 'false false 15 15'],
    ['permessage-deflate; server_no_context_takeover', {}, 'true false 15 15'],
    ['permessage-deflate; client_no_context_takeover', {}, 'false true 15 15'],
    ['permessage-deflate; server_max_window_bits=8', {}, 'false false 8 15'],
    ['permessage-deflate; server_max_window_bits="9"', { serverMaxWindowBits: 10 }, 'false false 9 15'],
    ['permessage-deflate; client_max_window_bits=9', { clientMaxWindowBits: 15 }, 'false false 15 9'],
    ['permessage-deflate; server_no_context_takeover; server_max_window_bits=12', ALL, 'true false 12 15'],
  ])('%s to %j is understood', (response, offer, expected) => {
    expect(Object.values(read(response, offer)).join(' ')).toBe(expected)
  })

  it('without it means that nothing is compressed', () => {
    expect(checkDeflate([])).toBe('none')
    expect(read('x-webkit-deflate-frame', ALL)).toBe('none')
  })
})
