import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AddressSet, isIpv4, isValidNetwork, parseAddress, serializeAddress } from '../../src/address.js'

describe('an address', () => {
  it.each([
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:0db8:0000:0000:0000:0000:0002:0001', '2001:db8::2:1'],
    // RFC 5952 4.2.2, 4.2.3
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4:5:6:c000:201'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ])('%s is %s', (text, canonical) => {
    const bytes = parseAddress(text)
    expect(bytes && serializeAddress(bytes)).toBe(canonical)
  })

  it.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    '0x1.2.3.4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::12345',
    '::g',
    ':1',
    '1:',
    '[::1]',
    '::1%eth0',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '::1.2.3.256',
  ])('%j is none', text => {
    expect(parseAddress(text)).toBeUndefined()
    expect(isIP(text.split('%', 1)[0]) > 0 && !text.includes('%')).toBe(false)
  })

  it('is what Node thinks it is, whatever the text', () => {
    const characters = fc.constantFrom(...'0123456789abcdefF:::::....%')
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 20 }), text => {
        if (text.includes('%')) return
        expect(parseAddress(text) !== undefined, text).toBe(isIP(text) > 0)
      }),
      { numRuns: 5000 },
    )
  })

  it('is the same after it was written and read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16, max: 3 }), bytes => {
        expect(parseAddress(serializeAddress(bytes))).toEqual(bytes)
      }),
    )
    fc.assert(
      fc.property(fc.ipV6(), text => {
        expect(isIpv4(parseAddress(text) as Uint8Array)).toBe(
          serializeAddress(parseAddress(text) as Uint8Array).includes('.'),
        )
      }),
    )
  })
})

describe('a list of networks', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['192.0.2.64/26', '192.0.2.127', true],
    ['192.0.2.64/26', '192.0.2.128', false],
    ['0.0.0.0/0', '1.2.3.4', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '1.2.3.4', true],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::1', '::1', true],
    ['::1', '::2', false],
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['127.0.0.1', '', false],
    ['127.0.0.1', 'unix', false],
    ['unix', 'unix', true],
    ['unix', '127.0.0.1', false],
  ])('%s has %s: %s', (network, address, has) => {
    expect(isValidNetwork(network)).toBe(true)
    expect(new AddressSet([network]).has(address)).toBe(has)
    expect(new AddressSet(['203.0.113.9', network]).has(address)).toBe(has)
  })

  it.each([
    '',
    'localhost',
    '10.0.0.0/',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/08',
    '10.0.0.1/8',
    '10.0.0.0/8/8',
    '::1/127',
  ])('%j is no network', text => expect(isValidNetwork(text)).toBe(false))

  it('is empty, or not', () => {
    expect(new AddressSet([]).isEmpty).toBe(true)
    expect(new AddressSet(['unix']).isEmpty).toBe(false)
    expect(new AddressSet(['::1']).isEmpty).toBe(false)
  })
})
