import { describe, expect, it } from 'vitest'
import * as ws from 'ws'
import {
  checkDeflate,
  type DeflateAgreement,
  type DeflateOffer,
  negotiateDeflate,
  offerDeflate,
} from '../../../src/handshake/deflate.js'
import { parseExtensions, serializeExtensions } from '../../../src/handshake/extensions.js'

const ANYTHING: DeflateAgreement = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
}

/** The response to an offer, and what was agreed on in short: flags of both ends, then window bits. */
function answer(offer: string, wanted: Partial<DeflateAgreement> = {}): string {
  const extensions = parseExtensions(offer)
  if (extensions === undefined) return 'malformed'
  const result = negotiateDeflate(extensions, { ...ANYTHING, ...wanted })
  if (result === undefined) return 'none'
  const { agreement } = result
  const facts = [
    agreement.serverNoContextTakeover ? 'alone' : 'on',
    agreement.clientNoContextTakeover ? 'alone' : 'on',
    agreement.serverMaxWindowBits,
    agreement.clientMaxWindowBits,
  ]
  return `${serializeExtensions([result.response])} | ${facts.join(' ')}`
}

describe('an offer is answered', () => {
  it.each([
    ['permessage-deflate', 'permessage-deflate | on on 15 15'],
    ['permessage-deflate; client_max_window_bits', 'permessage-deflate | on on 15 15'],
    [
      'permessage-deflate; client_max_window_bits=10',
      'permessage-deflate; client_max_window_bits=10 | on on 15 10',
    ],
    ['permessage-deflate; client_max_window_bits=15', 'permessage-deflate | on on 15 15'],
    [
      'permessage-deflate; server_max_window_bits=10',
      'permessage-deflate; server_max_window_bits=10 | on on 10 15',
    ],
    [
      'permessage-deflate; server_max_window_bits=15',
      'permessage-deflate; server_max_window_bits=15 | on on 15 15',
    ],
    [
      'permessage-deflate; server_max_window_bits=8; client_max_window_bits=8',
      'permessage-deflate; server_max_window_bits=8; client_max_window_bits=8 | on on 8 8',
    ],
    [
      'permessage-deflate; server_no_context_takeover',
      'permessage-deflate; server_no_context_takeover | alone on 15 15',
    ],
    [
      'permessage-deflate; client_no_context_takeover',
      'permessage-deflate; client_no_context_takeover | on alone 15 15',
    ],
    // RFC 6455 9.1: a quoted string says what the token in it says.
    [
      'permessage-deflate; server_max_window_bits="12"',
      'permessage-deflate; server_max_window_bits=12 | on on 12 15',
    ],
    ['x-webkit-deflate-frame, permessage-deflate', 'permessage-deflate | on on 15 15'],
  ])('%s', (offer, expected) => {
    expect(answer(offer)).toBe(expected)
  })

  it('for every size of both windows', () => {
    for (let bits = 8; bits <= 15; bits++) {
      const small = bits < 15 ? `; client_max_window_bits=${bits}` : ''
      expect(answer(`permessage-deflate; client_max_window_bits=${bits}`)).toBe(
        `permessage-deflate${small} | on on 15 ${bits}`,
      )
      expect(answer(`permessage-deflate; server_max_window_bits=${bits}`)).toBe(
        `permessage-deflate; server_max_window_bits=${bits} | on on ${bits} 15`,
      )
    }
  })
})

describe('an offer is declined', () => {
  const values = ['0', '7', '16', '08', '015', '+10', '1e1', '0x0a', 'ten', '10.0', '-8', '99999999999']

  it.each([
    'permessage-deflate; unknown',
    'permessage-deflate; unknown=1',
    'permessage-deflate; Server_No_Context_Takeover',
    'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    'permessage-deflate; client_no_context_takeover; client_no_context_takeover',
    'permessage-deflate; client_max_window_bits; client_max_window_bits',
    'permessage-deflate; client_max_window_bits=10; client_max_window_bits=10',
    'permessage-deflate; server_max_window_bits=10; server_max_window_bits=11',
    'permessage-deflate; server_no_context_takeover=true',
    'permessage-deflate; server_no_context_takeover="1"',
    'permessage-deflate; client_no_context_takeover=1',
    'permessage-deflate; server_max_window_bits',
    'permessage-deflate; server_max_window_bits="08"',
    ...values.map(value => `permessage-deflate; server_max_window_bits=${value}`),
    ...values.map(value => `permessage-deflate; client_max_window_bits=${value}`),
    'permessage-bzip2',
    'Permessage-Deflate',
  ])('%s', offer => {
    expect(answer(offer)).toBe('none')
    // The next is looked at, and after it no other.
    expect(answer(`${offer}, permessage-deflate; server_max_window_bits=9, permessage-deflate`)).toBe(
      'permessage-deflate; server_max_window_bits=9 | on on 9 15',
    )
  })

  it.each(['permessage-deflate; server_max_window_bits=""', 'permessage-deflate; x="1 0"'])(
    '%s is no list of extensions at all',
    offer => {
      expect(answer(offer)).toBe('malformed')
    },
  )
})

describe('what the server wants', () => {
  it('is asked for, and no more is taken than was offered', () => {
    expect(answer('permessage-deflate', { serverNoContextTakeover: true })).toBe(
      'permessage-deflate; server_no_context_takeover | alone on 15 15',
    )
    expect(answer('permessage-deflate', { clientNoContextTakeover: true })).toBe(
      'permessage-deflate; client_no_context_takeover | on alone 15 15',
    )
    expect(answer('permessage-deflate', { serverMaxWindowBits: 11 })).toBe(
      'permessage-deflate; server_max_window_bits=11 | on on 11 15',
    )
    expect(answer('permessage-deflate; server_max_window_bits=9', { serverMaxWindowBits: 11 })).toBe(
      'permessage-deflate; server_max_window_bits=9 | on on 9 15',
    )
    expect(answer('permessage-deflate; client_max_window_bits', { clientMaxWindowBits: 11 })).toBe(
      'permessage-deflate; client_max_window_bits=11 | on on 15 11',
    )
    expect(answer('permessage-deflate; client_max_window_bits=9', { clientMaxWindowBits: 11 })).toBe(
      'permessage-deflate; client_max_window_bits=9 | on on 15 9',
    )
  })

  it('the response has no parameter that the client does not know (RFC 7692 7.1.2.2)', () => {
    expect(answer('permessage-deflate', { clientMaxWindowBits: 11 })).toBe('permessage-deflate | on on 15 15')
  })
})

/** Not in @types/ws. */
interface WsDeflate {
  offer(): Record<string, unknown>
  accept(configurations: Record<string, unknown>[]): Record<string, unknown>
}
const { extension, PerMessageDeflate } = ws as unknown as {
  extension: {
    parse(header: string): Record<string, Record<string, unknown>[]>
    format(extensions: Record<string, Record<string, unknown>>): string
  }
  PerMessageDeflate: new (options: object) => WsDeflate
}

describe('ws, as the other end,', () => {
  const NAME = 'permessage-deflate'
  const FLAGS = [undefined, true]
  const BITS = [undefined, 8, 11, 15]
  const settings = FLAGS.flatMap(serverNoContextTakeover =>
    FLAGS.flatMap(clientNoContextTakeover =>
      BITS.flatMap(serverMaxWindowBits =>
        BITS.map(clientMaxWindowBits =>
          Object.fromEntries(
            Object.entries({
              serverNoContextTakeover,
              clientNoContextTakeover,
              serverMaxWindowBits,
              clientMaxWindowBits,
            }).filter(([, value]) => value !== undefined),
          ),
        ),
      ),
    ),
  )
  const facts = (params: Record<string, unknown>): DeflateAgreement => ({
    serverNoContextTakeover: params.server_no_context_takeover === true,
    clientNoContextTakeover: params.client_no_context_takeover === true,
    serverMaxWindowBits: Number(params.server_max_window_bits ?? 15),
    clientMaxWindowBits: Number(params.client_max_window_bits ?? 15),
  })

  it('understands what we offer, and we what it responds', () => {
    let agreed = 0
    for (const offer of settings as DeflateOffer[]) {
      const header = serializeExtensions([offerDeflate(offer)])
      for (const wishes of settings) {
        let params: Record<string, unknown>
        try {
          params = new PerMessageDeflate({ ...wishes, isServer: true }).accept(extension.parse(header)[NAME])
        } catch {
          // It takes nothing less than it wants.
          continue
        }
        const response = extension.format({ [NAME]: params })
        expect(checkDeflate(parseExtensions(response) ?? [], offer), `${header}: ${response}`).toEqual(
          facts(params),
        )
        agreed++
      }
    }
    expect(agreed).toBeGreaterThan(1000)
  })

  it('offers what we understand, and accepts what we respond', () => {
    for (const theirs of settings) {
      const client = new PerMessageDeflate(theirs)
      const header = extension.format({ [NAME]: client.offer() })
      for (const wanted of settings) {
        const result = negotiateDeflate(parseExtensions(header) ?? [], wanted)
        if (result === undefined) throw new Error(`${header} was declined`)
        const response = serializeExtensions([result.response])
        const params = client.accept(extension.parse(response)[NAME])
        // Without an answer it keeps to the window that it has offered.
        const { clientMaxWindowBits, ...rest } = result.agreement
        expect(facts(params)).toMatchObject(rest)
        expect(facts(params).clientMaxWindowBits).toBeLessThanOrEqual(clientMaxWindowBits)
      }
    }
  })
})
