import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BytesForm, countBytes, parseBytes, toBase64, toHex } from '../../../page/bytes.js'

/** As the ways to write it are compared: hexadecimal, or what is wrong. */
function read(text: string, form?: BytesForm): string {
  const parsed = parseBytes(text, form)
  return parsed.fault ?? `${parsed.form} ${toHex(parsed.bytes)}`.trim()
}

describe('bytes in hexadecimal', () => {
  it.each([
    '81 05',
    '8105',
    '0x81, 0x05',
    '81:05',
    '\\x81\\x05',
    '[0x81, 0x05];',
    '81\n05\n',
    '{81,05}',
    '81-05',
    '<Buffer 81 05>',
  ])('%j', text => {
    expect(read(text)).toBe('hex 81 05')
    expect(read(text, 'hex')).toBe('hex 81 05')
  })

  it('with hyphens between them are no base64url', () => {
    expect(read('81-05-48-65-6c-6c-6f')).toBe('hex 81 05 48 65 6c 6c 6f')
    expect(read('81-05\n48-65')).toBe('hex 81 05 48 65')
    expect(read('81-05-4')).toMatch(/half a byte/)
    expect(read('ab-c')).toBe('base64 69 bf 9c')
    expect(read('abc-ef-1')).toMatch(/^base64/)
    const long = '81-'.repeat(40_000)
    expect(parseBytes(long)).toMatchObject({ form: 'hex', fault: undefined, bytes: { length: 40_000 } })
  })

  it('may be none', () => {
    expect(read('')).toBe('hex')
    expect(read(' \n')).toBe('hex')
  })

  it('and what is wrong with them', () => {
    expect(read('8', 'hex')).toMatch(/half a byte/)
    expect(read('81 0')).toMatch(/half a byte/)
    expect(read('81 g0', 'hex')).toBe('“g” is no hexadecimal digit')
    expect(read('0x81, 0xg', 'hex')).toBe('“0xg” is no hexadecimal digit')
    expect(read('81 0x')).toBe('“0x ” is no hexadecimal digit')
  })

  it.each([
    ['0x8, 0x1', '08 01'],
    ['\\x8\\x1', '08 01'],
    ['0x0,0xff', '00 ff'],
    ['0x8105', '81 05'],
    ['0x810x05', '81 05'],
  ])('a prefix begins a byte: %j', (text, hex) => {
    expect(read(text)).toBe(`hex ${hex}`)
  })

  it('digits that stand alone are no byte', () => {
    for (const text of ['8 1', '0x810', '810 5', '\\x810']) expect(read(text)).toMatch(/^half a byte/)
  })

  it('are clearly meant, where the rest is wrong', () => {
    expect(read('81 85 xy')).toBe('“x” is no hexadecimal digit')
    expect(read('0x81 zz')).toBe('“z” is no hexadecimal digit')
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

describe('what stands before a fault is read', () => {
  it.each([
    ['81 85 3', undefined, '81 85'],
    ['8185xx', 'hex', '81 85'],
    ['gQVI!Zxs', 'base64', '81 05 48'],
    ['gQVIZ', 'base64', '81 05 48'],
    ['gQVIZ?', 'base64', '81 05 48'],
    ['hello, world', undefined, ''],
  ] as const)('%j', (text, form, hex) => {
    const { bytes, fault } = parseBytes(text, form)
    expect(fault).toBeTypeOf('string')
    expect(toHex(bytes)).toBe(hex)
  })
})

describe('no more is read than is wanted', () => {
  it.each([
    ['81 05 48 65', '81 05'],
    ['81054865', '81 05'],
    ['gQVIZWxsbw==', '81 05'],
  ])('%j', (text, hex) => {
    const { bytes, fault, isCut } = parseBytes(text, undefined, 2)
    expect({ hex: toHex(bytes), fault, isCut }).toEqual({ hex, fault: undefined, isCut: true })
  })

  it.each(['81 05', '81 05\n', 'gQU=', 'gQU'])('%j is all', text => {
    const { bytes, isCut } = parseBytes(text, undefined, 2)
    expect({ hex: toHex(bytes), isCut }).toEqual({ hex: '81 05', isCut: false })
  })

  it.each([
    ['hexadecimal', '8105 '],
    ['hexadecimal without spaces', '81058105'],
    ['base64', 'gQVIgQVI'],
  ])('%s: of a hundred times as much no more time is taken', (_, text) => {
    const most = 20_000
    const best = (long: string): number => {
      const times = Array.from({ length: 3 }, () => {
        const began = performance.now()
        const { bytes, isCut } = parseBytes(long, undefined, most)
        expect([bytes.length, isCut]).toEqual([most, true])
        return performance.now() - began
      })
      return Math.min(...times)
    }
    expect(best(text.repeat(2_000_000))).toBeLessThan(20 * best(text.repeat(20_000)))
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
