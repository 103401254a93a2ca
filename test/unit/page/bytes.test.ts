import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BytesForm, countBytes, parseBytes, toBase64, toHex } from '../../../page/bytes.js'

/** As the ways to write it are compared: hexadecimal, or what is wrong. */
function read(text: string, form?: BytesForm): string {
  const parsed = parseBytes(text, form)
  return 'fault' in parsed ? parsed.fault : `${parsed.form} ${toHex(parsed.bytes)}`.trim()
}

describe('bytes in hexadecimal', () => {
  it.each(['81 05', '8105', '0x81, 0x05', '81:05', '\\x81\\x05', '[0x81, 0x05];', '81\n05\n', '{81,05}'])(
    '%j',
    text => {
      expect(read(text)).toBe('hex 81 05')
      expect(read(text, 'hex')).toBe('hex 81 05')
    },
  )

  it('may be none', () => {
    expect(read('')).toBe('hex')
    expect(read(' \n')).toBe('hex')
  })

  it('and what is wrong with them', () => {
    expect(read('8', 'hex')).toMatch(/half a byte/)
    expect(read('81 0')).toMatch(/half a byte/)
    expect(read('81 g0', 'hex')).toBe('“g” is no hexadecimal digit')
  })
})

describe('bytes in base64', () => {
  it.each([
    ['gQVIZWxsbw==', '81 05 48 65 6c 6c 6f'],
    ['gQVIZWxsbw', '81 05 48 65 6c 6c 6f'],
    ['gQVI\nZWxs bw==', '81 05 48 65 6c 6c 6f'],
    ['-_8=', 'fb ff'],
    ['+/8=', 'fb ff'],
  ])('%j', (text, hex) => {
    expect(read(text)).toBe(`base64 ${hex}`)
  })

  it('where it could be hexadecimal as well it must be said', () => {
    expect(read('abcd')).toBe('hex ab cd')
    expect(read('abcd', 'base64')).toBe('base64 69 b7 1d')
  })

  it('and what is wrong with it', () => {
    expect(read('gQVIZ', 'base64')).toMatch(/left over/)
    expect(read('gQ!I', 'base64')).toBe('“!” is no base64')
    expect(read('hello, world')).toBe('“h” is neither hexadecimal nor base64')
  })
})

it('what is written is read again', () => {
  fc.assert(
    fc.property(fc.uint8Array(), bytes => {
      expect(read(toHex(bytes))).toBe(`hex ${toHex(bytes)}`.trim())
      expect(read(toBase64(bytes), 'base64')).toBe(`base64 ${toHex(bytes)}`.trim())
    }),
  )
})

it('counts in words', () => {
  expect([0, 1, 2000, 1n, 2n ** 63n].map(count => countBytes(count))).toEqual([
    '0 bytes',
    '1 byte',
    '2,000 bytes',
    '1 byte',
    '9,223,372,036,854,775,808 bytes',
  ])
})
