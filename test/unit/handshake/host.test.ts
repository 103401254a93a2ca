import { isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isValidHost } from '../../../src/handshake/host.js'

describe('isValidHost', () => {
  it.each([
    'localhost',
    'example.com',
    'EXAMPLE.com.',
    'example.com:80',
    'example.com:',
    'example.com:00080',
    'example.com:65535',
    'under_score',
    'a-b~c!$&()*+,;=d',
    "it's",
    '%C3%A4.example',
    '127.0.0.1',
    '127.0.0.1:9000',
    '999.1.1.1',
    '[::]',
    '[::1]:9000',
    '[2001:DB8::1]',
    '[1:2:3:4:5:6:7:8]',
    '[::ffff:1.2.3.4]:1',
    '[1::]:',
  ])('takes %s', host => {
    expect(isValidHost(host)).toBe(true)
  })

  it.each([
    '',
    ':',
    ':80',
    ' a',
    'a b',
    'a\tb',
    'a:b',
    'a:80:90',
    'a:65536',
    'a:99999999999999999999999',
    'a:-1',
    'a:0x50',
    'a: 80',
    'user@a',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    'a|b',
    '"a"',
    '<a>',
    'a^b',
    'a`b',
    '{a}',
    '%',
    '%4',
    '%zz',
    'a%',
    '\x80',
    'm\xfcnchen',
    '::1',
    '[',
    '[]',
    '[]:80',
    '[::1',
    '[::1]80',
    '[::1]]',
    '[[::1]]',
    '[::1%25eth0]',
    '[v1.a]',
    '[1.2.3.4]',
    '[1:2:3:4:5:6:7]',
    '[1:2:3:4:5:6:7:8:9]',
    '[1:2:3:4:5:6:7::8]x',
    '[1::2::3]',
    '[:::]',
    '[:1:2:3:4:5:6:7]',
    '[1:2:3:4:5:6:7:]',
    '[12345::]',
    '[::g]',
    '[::1.2.3]',
    '[::1.2.3.256]',
    '[::1.2.3.04]',
    '[::1.2.3.4.]',
    '[1.2.3.4::]',
    '[::1.2.3.4:5]',
    'x[::1]',
  ])('refuses "%s"', host => {
    expect(isValidHost(host)).toBe(false)
  })

  it('agrees with node:net about IPv6 addresses', () => {
    const group = fc.oneof(
      fc.constantFrom('', '0', 'ffff', '1.2.3.4', '12345', '::', ':'),
      fc.stringMatching(/^[\da-f]{1,4}$/),
    )
    fc.assert(
      fc.property(fc.array(group, { minLength: 1, maxLength: 10 }), groups => {
        const address = groups.join(':')
        // A lone `::` may stand for one group (RFC 4291 2.2), with which RFC 3986 agrees.
        expect(isValidHost(`[${address}]`), address).toBe(isIPv6(address))
      }),
      { numRuns: 5000 },
    )
  })
})
