import { describe, expect, it } from 'vitest'
import { crc32c } from '../../../src/handshake/crc32c.js'
import { MAX_V1_BYTES, MAX_V2_BYTES, ProxyHeaderReader } from '../../../src/handshake/proxy-header.js'
import { proxyV2, tlv } from '../../support/proxy-header.js'

const NEXT = Buffer.from('GET / HTTP/1.1\r\n')

/** Feeds a header, with what follows it, in pieces of `size`, each in a buffer that is overwritten afterwards. */
function read(header: Buffer | string, size = Number.POSITIVE_INFINITY) {
  const head = Buffer.from(header as string, 'latin1')
  const bytes = Buffer.concat([head, NEXT])
  const reader = new ProxyHeaderReader()
  for (let at = 0; at < bytes.length && !reader.failed; at += size) {
    const piece = Buffer.concat([Buffer.from('##'), bytes.subarray(at, at + size), Buffer.from('##')])
    const end = reader.read(piece, 2, piece.length - 2)
    piece.fill(0x7a)
    if (end >= 0) {
      expect(at + end - 2, 'the offset of what follows').toBe(head.length)
      return reader.source === undefined ? 'nobody' : `${reader.source.address} ${reader.source.port}`
    }
  }
  return reader.failed ? 'failed' : 'more'
}

const unix = Buffer.alloc(216, 0x2f)
const longest = `PROXY UNKNOWN ${'f'.repeat(MAX_V1_BYTES - 16)}\r\n`
const withChecksum = proxyV2(0x21, 0x11, '203.0.113.7', '192.0.2.1', 5000, 443, [
  tlv(0x02, 'example.com'),
  tlv(0x03, Buffer.alloc(4)),
  tlv(0x04, ''),
])
withChecksum.writeUInt32BE(crc32c(withChecksum), withChecksum.length - 3 - 4)
const wrongChecksum = Buffer.from(withChecksum)
wrongChecksum[wrongChecksum.length - 4] ^= 1

const GOOD: readonly (readonly [what: string, header: Buffer | string, source: string])[] = [
  ['TCP4', 'PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n', '203.0.113.7 5000'],
  ['TCP6', 'PROXY TCP6 2001:DB8::7 2001:db8::1 65535 0\r\n', '2001:db8::7 65535'],
  ['a mapped address', 'PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 5000 443\r\n', '203.0.113.7 5000'],
  [
    'the longest TCP6',
    `PROXY TCP6 ${'f'.repeat(4)}${':ffff'.repeat(7)} ${'f'.repeat(4)}${':ffff'.repeat(7)} 65535 65535\r\n`,
    `ffff${':ffff'.repeat(7)} 65535`,
  ],
  ['UNKNOWN', 'PROXY UNKNOWN\r\n', 'nobody'],
  ['UNKNOWN and more', 'PROXY UNKNOWN ffff::1 1.2.3.4 x y\r\n', 'nobody'],
  ['107 bytes', longest, 'nobody'],
  ['version 2 over IPv4', proxyV2(0x21, 0x11, '203.0.113.7', '192.0.2.1', 5000, 443), '203.0.113.7 5000'],
  ['version 2 over IPv6', proxyV2(0x21, 0x21, '2001:db8::7', '::1', 5000, 443), '2001:db8::7 5000'],
  ['version 2 over a Unix domain socket', proxyV2(0x21, 0x31, unix), 'unix 0'],
  ['version 2 of nobody', proxyV2(0x21, 0x00, Buffer.alloc(0)), 'nobody'],
  ['version 2 of nobody with fields', proxyV2(0x21, 0x00, tlv(0x04, 'x')), 'nobody'],
  ['LOCAL', proxyV2(0x20, 0x00, Buffer.alloc(0)), 'nobody'],
  ['LOCAL with what says nothing', proxyV2(0x20, 0x11, Buffer.alloc(50, 7)), 'nobody'],
  ['fields and a checksum', withChecksum, '203.0.113.7 5000'],
  ['4096 bytes', proxyV2(0x21, 0x00, tlv(0x04, Buffer.alloc(MAX_V2_BYTES - 16 - 3))), 'nobody'],
]

const BAD: readonly (readonly [what: string, header: Buffer | string])[] = [
  ['no header', 'GET / HTTP/1.1\r\n\r\n'],
  ['TLS', '\x16\x03\x01\x02\x00'],
  ['small letters', 'proxy TCP4 203.0.113.7 192.0.2.1 5000 443\r\n'],
  ['another word', 'PROXIMITY\r\n'],
  ['no space', 'PROXY\r\n'],
  ['nothing', 'PROXY \r\n'],
  ['TCP5', 'PROXY TCP5 203.0.113.7 192.0.2.1 5000 443\r\n'],
  ['UNKNOWNS', 'PROXY UNKNOWNS\r\n'],
  ['two spaces', 'PROXY  TCP4 203.0.113.7 192.0.2.1 5000 443\r\n'],
  ['a tab', 'PROXY TCP4\t203.0.113.7 192.0.2.1 5000 443\r\n'],
  ['a space at the end', 'PROXY TCP4 203.0.113.7 192.0.2.1 5000 443 \r\n'],
  ['LF alone', 'PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\n'],
  ['one address', 'PROXY TCP4 203.0.113.7 5000 443\r\n'],
  ['one port', 'PROXY TCP4 203.0.113.7 192.0.2.1 5000\r\n'],
  ['a port too high', 'PROXY TCP4 203.0.113.7 192.0.2.1 65536 443\r\n'],
  ['a destination port too high', 'PROXY TCP4 203.0.113.7 192.0.2.1 1 70000\r\n'],
  ['a port with a leading zero', 'PROXY TCP4 203.0.113.7 192.0.2.1 05000 443\r\n'],
  ['IPv6 for TCP4', 'PROXY TCP4 ::1 ::1 5000 443\r\n'],
  ['IPv4 for TCP6', 'PROXY TCP6 203.0.113.7 ::1 5000 443\r\n'],
  ['no address', 'PROXY TCP4 localhost 192.0.2.1 5000 443\r\n'],
  ['no destination address', 'PROXY TCP4 192.0.2.1 localhost 5000 443\r\n'],
  ['108 bytes', `PROXY UNKNOWN ${'f'.repeat(MAX_V1_BYTES - 15)}\r\n`],
  ['no end', `PROXY UNKNOWN ${'f'.repeat(10_000)}`],
  ['version 1 in version 2', proxyV2(0x11, 0x11, '203.0.113.7', '192.0.2.1', 5000, 443)],
  ['version 3', proxyV2(0x31, 0x11, '203.0.113.7', '192.0.2.1', 5000, 443)],
  ['another command', proxyV2(0x22, 0x11, '203.0.113.7', '192.0.2.1', 5000, 443)],
  ['another family', proxyV2(0x21, 0x41, Buffer.alloc(12))],
  ['datagrams', proxyV2(0x21, 0x12, '203.0.113.7', '192.0.2.1', 5000, 443)],
  ['a family without a transport', proxyV2(0x21, 0x10, Buffer.alloc(12))],
  ['too short for IPv4', proxyV2(0x21, 0x11, Buffer.alloc(11))],
  ['too short for IPv6', proxyV2(0x21, 0x21, Buffer.alloc(35))],
  ['too short for Unix', proxyV2(0x21, 0x31, Buffer.alloc(215))],
  ['half a field', proxyV2(0x21, 0x11, Buffer.alloc(14))],
  ['a field that is longer than the header', proxyV2(0x21, 0x00, Buffer.from([4, 0, 2, 1]))],
  ['a wrong checksum', wrongChecksum],
  ['a checksum of 2 bytes', proxyV2(0x21, 0x00, tlv(0x03, 'ab'))],
  ['4097 bytes', proxyV2(0x21, 0x00, tlv(0x04, Buffer.alloc(MAX_V2_BYTES - 16 - 2)))],
  ['64 KiB', proxyV2(0x20, 0x00, Buffer.alloc(65_535))],
]

describe('a PROXY header', () => {
  it.each(GOOD)('of %s, in any split, ends before what follows', (_, header, source) => {
    for (const size of [Number.POSITIVE_INFINITY, 1, 2, 3, 7, 13, 16, 17, 100]) {
      expect(read(header, size), `${size} bytes at a time`).toBe(source)
    }
  })

  it.each(GOOD)('of %s wants all of it', (_, header) => {
    const bytes = Buffer.from(header as string, 'latin1')
    const reader = new ProxyHeaderReader()
    expect(reader.read(bytes, 0, bytes.length - 1)).toBe(-1)
    expect(reader.failed).toBe(false)
  })

  it.each(BAD)('is not: %s, in any split', (_, header) => {
    for (const size of [Number.POSITIVE_INFINITY, 1, 2, 5, 16, 1000]) {
      expect(read(header, size), `${size} bytes at a time`).toBe('failed')
    }
  })

  it('is refused at the first byte that can’t be one', () => {
    for (const [bytes, isGood] of [
      ['P', true],
      ['PR', true],
      ['PX', false],
      ['\r', true],
      ['\r\n\r\n\0\r\nQUIT', true],
      ['\r\n\r\nG', false],
      ['G', false],
      ['\0', false],
    ] as const) {
      const reader = new ProxyHeaderReader()
      expect(reader.read(Buffer.from(bytes, 'latin1'), 0, bytes.length)).toBe(-1)
      expect(reader.failed, JSON.stringify(bytes)).toBe(!isGood)
    }
  })

  it('of version 2 is refused for its length before that has come', () => {
    const reader = new ProxyHeaderReader()
    const header = proxyV2(0x21, 0x11, Buffer.alloc(65_535))
    expect(reader.read(header, 0, 16)).toBe(-1)
    expect(reader.failed).toBe(true)
  })

  it('has the checksum of RFC 3720 B.4', () => {
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
  })
})
