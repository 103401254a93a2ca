import { describe, expect, it } from 'vitest'
import { OptionError } from '../../src/errors.js'
import { resolveOptions } from '../../src/serve-options.js'
import type { TlsOptions } from '../../src/tls-options.js'

const PAIR = { key: 'key.pem', cert: 'cert.pem' }

function attempt(tls: unknown): () => unknown {
  return () => resolveOptions({ tls: tls as TlsOptions })
}

describe('the option tls', () => {
  it.each<[string, TlsOptions]>([
    ['paths', PAIR],
    ['URLs', { key: new URL('file:///key.pem'), cert: new URL('file:///cert.pem') }],
    ['bytes', { key: Buffer.from('key'), cert: new Uint8Array(1) }],
    ['lists', { key: ['a', 'b'], cert: ['c', Buffer.from('d')] }],
    ['names', { ...PAIR, sni: { 'a.example': PAIR, '*.b.example': { ...PAIR, passphrase: 'x' } } }],
    ['client certificates', { ...PAIR, requestCert: true, ca: ['a'], crl: 'b' }],
    ['client certificates that nobody checks', { ...PAIR, requestCert: true, rejectUnauthorized: false }],
    ['the rest', { ...PAIR, minVersion: 'TLSv1.3', ciphers: 'ALL', ticketKeys: new Uint8Array(48) }],
    ['what is undefined', { ...PAIR, ca: undefined, sni: undefined }],
  ])('takes %s', (_, tls) => {
    expect(resolveOptions({ tls }).tls).toBe(tls)
  })

  it.each<[unknown, string]>([
    ['key.pem', 'tls must be an object with key and cert, not '],
    [[], 'tls must be an object with key and cert, not []'],
    [{ key: 'key.pem' }, 'tls.cert is missing'],
    [{ ...PAIR, key: undefined }, 'tls.key is missing'],
    [{ ...PAIR, key: '' }, 'tls.key must be PEM text, the path or URL'],
    [{ ...PAIR, key: [] }, 'tls.key must be'],
    [{ ...PAIR, cert: 5 }, 'tls.cert must be'],
    [{ ...PAIR, key: new URL('https://host/key.pem') }, 'tls.key must be'],
    [{ ...PAIR, pfx: 'x' }, 'there is no tls.pfx; there are: key, cert, passphrase, sni'],
    [{ ...PAIR, toString: 'x' }, 'there is no tls.toString'],
    [{ ...PAIR, sni: { 'A.example': PAIR } }, 'tls.sni must be an object with a { key, cert }'],
    [{ ...PAIR, sni: { '*': PAIR } }, 'tls.sni must be'],
    [{ ...PAIR, sni: { a: { key: 'x' } } }, "tls.sni['a'].cert is missing"],
    [{ ...PAIR, sni: { a: { ...PAIR, ca: 'x' } } }, "there is no tls.sni['a'].ca"],
    [{ ...PAIR, requestCert: 1 }, 'tls.requestCert must be true or false'],
    [{ ...PAIR, requestCert: true }, 'tls.requestCert needs tls.ca'],
    [{ ...PAIR, ca: 'ca.pem' }, 'set tls.requestCert too'],
    [{ ...PAIR, rejectUnauthorized: false }, 'set tls.requestCert too'],
    [{ ...PAIR, minVersion: 'TLSv1.1' }, 'tls.minVersion must be TLSv1.2 or TLSv1.3'],
    [{ ...PAIR, ticketKeys: new Uint8Array(47) }, 'tls.ticketKeys must be 48 bytes'],
  ])('refuses %o', (tls, text) => {
    expect(attempt(tls)).toThrow(OptionError)
    expect(attempt(tls)).toThrow(text)
  })

  it('repeats no secret', () => {
    for (const tls of [
      { ...PAIR, passphrase: 12_345_678 },
      { ...PAIR, ticketKeys: 'my secret keys' },
    ]) {
      expect(attempt(tls)).not.toThrow(/12345678|my secret/)
    }
  })
})
