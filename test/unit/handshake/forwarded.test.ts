import { describe, expect, it } from 'vitest'
import { AddressSet } from '../../../src/address.js'
import { findClient, parseForwarded } from '../../../src/handshake/forwarded.js'

const PEER = { address: '10.0.0.1', port: 4000 }
const TRUSTED = new AddressSet(['10.0.0.0/8', 'fd00::/8', 'unix'])

function client(value: string, header: 'x-forwarded-for' | 'forwarded' = 'x-forwarded-for', peer = PEER) {
  const found = findClient(value, header, peer, TRUSTED)
  return found && `${found.address} ${found.port}`
}

describe('X-Forwarded-For', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7 0'],
    ['203.0.113.7:5000', '203.0.113.7 5000'],
    ['2001:DB8::7', '2001:db8::7 0'],
    ['[2001:db8::7]', '2001:db8::7 0'],
    ['[2001:db8::7]:5000', '2001:db8::7 5000'],
    ['::ffff:203.0.113.7', '203.0.113.7 0'],
    // The last hop that is not trusted, whatever it says of others.
    ['198.51.100.1, 203.0.113.7', '203.0.113.7 0'],
    ['198.51.100.1, 203.0.113.7, 10.0.0.3,fd00::3', '203.0.113.7 0'],
    ['nonsense "", 203.0.113.7', '203.0.113.7 0'],
    ['10.0.0.9, 203.0.113.7', '203.0.113.7 0'],
    // All of them are trusted.
    ['10.0.0.3, 10.0.0.2', '10.0.0.3 0'],
    // The hop does not say.
    ['unknown', '10.0.0.1 4000'],
    ['203.0.113.7, unknown', '10.0.0.1 4000'],
    ['203.0.113.7, unknown, 10.0.0.2', '10.0.0.2 0'],
    ['', '10.0.0.1 4000'],
    [' , ,', '10.0.0.1 4000'],
  ])('%s: %s', (value, expected) => {
    expect(client(value)).toBe(expected)
  })

  it.each([
    'nonsense',
    '203.0.113.7:',
    '203.0.113.7:65536',
    '203.0.113.7:x',
    '203.0.113.256',
    '[203.0.113.7]',
    '[2001:db8::7',
    '2001:db8::7]',
    '"203.0.113.7"',
    '198.51.100.1 203.0.113.7',
    'nonsense, 10.0.0.2',
  ])('%s can’t be read', value => {
    expect(client(value)).toBeUndefined()
  })

  it('of who is not trusted is not believed', () => {
    expect(client('203.0.113.7', 'x-forwarded-for', { address: '192.0.2.1', port: 1 })).toBe('192.0.2.1 1')
  })

  it('comes from a Unix domain socket, too', () => {
    expect(client('203.0.113.7', 'x-forwarded-for', { address: 'unix', port: 0 })).toBe('203.0.113.7 0')
  })
})

describe('Forwarded', () => {
  it.each([
    ['for=203.0.113.7', '203.0.113.7 0'],
    ['For="203.0.113.7:5000"', '203.0.113.7 5000'],
    ['for="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17 4711'],
    ['for=203.0.113.7;proto=http;by=10.0.0.1', '203.0.113.7 0'],
    ['proto=http; by="[fd00::1]" ; for=203.0.113.7', '203.0.113.7 0'],
    ['for=198.51.100.1, for=203.0.113.7', '203.0.113.7 0'],
    ['for=203.0.113.7, for="[fd00::2]",for=10.0.0.5', '203.0.113.7 0'],
    ['for="203.0.113\\.7"', '203.0.113.7 0'],
    ['for=x;host="a,b;for=1.2.3.4", for=203.0.113.7', '203.0.113.7 0'],
    ['host="a\\",for=1.2.3.4";for=203.0.113.7', '203.0.113.7 0'],
    ['for=unknown', '10.0.0.1 4000'],
    ['for=_hidden', '10.0.0.1 4000'],
    ['for="_hidden:_port"', '10.0.0.1 4000'],
    ['for="203.0.113.7:_port"', '203.0.113.7 0'],
    ['for=203.0.113.7, proto=http', '10.0.0.1 4000'],
    [',for=203.0.113.7,', '203.0.113.7 0'],
    ['for=203.0.113.7;', '203.0.113.7 0'],
  ])('%s: %s', (value, expected) => {
    expect(client(value, 'forwarded')).toBe(expected)
  })

  it.each([
    'for',
    'for=',
    'for =203.0.113.7',
    'for= 203.0.113.7',
    'for=[::1]',
    'for=203.0.113.7:80',
    'for="203.0.113.7',
    'for="x, for=203.0.113.7',
    'for="203.0.113.7\\"',
    'for=203.0.113.7 for=198.51.100.1',
    'for=203.0.113.7;for=198.51.100.1',
    '=x',
    'for=nonsense',
    'for="_"x',
  ])('%s can’t be read', value => {
    expect(client(value, 'forwarded')).toBeUndefined()
  })

  it('has the nodes of its elements', () => {
    expect(parseForwarded('for=a, proto=http, FOR="b c"')).toEqual(['a', '', 'b c'])
  })
})
