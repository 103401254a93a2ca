import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseExtensions, serializeExtensions } from '../../../src/handshake/extensions.js'

const parameter = (name: string, value?: string) => ({ name, value })

describe('parseExtensions', () => {
  it.each<[value: string, expected: [name: string, ...parameters: [string, string?][]][]]>([
    ['permessage-deflate', [['permessage-deflate']]],
    ['a, b', [['a'], ['b']]],
    [' \ta\t,\tb ', [['a'], ['b']]],
    [',a,, ,b,', [['a'], ['b']]],
    ['a;b', [['a', ['b']]]],
    ['a; b=1; c', [['a', ['b', '1'], ['c']]]],
    ['a\t;\tb\t=\t1 , c', [['a', ['b', '1']], ['c']]],
    ['a; b="1"', [['a', ['b', '1']]]],
    ['a; b = "1" ;c', [['a', ['b', '1'], ['c']]]],
    ['a; b="\\1\\0"', [['a', ['b', '10']]]],
    ['a; b; b', [['a', ['b'], ['b']]]],
    ['a, a', [['a'], ['a']]],
    // A single quote is a token character (RFC 9110 5.6.2): it doesn't quote.
    ["a; b='", [['a', ['b', "'"]]]],
    ["!#$%&'*+-.^_`|~09azAZ", [["!#$%&'*+-.^_`|~09azAZ"]]],
    [
      'permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate',
      [
        ['permessage-deflate', ['client_max_window_bits'], ['server_max_window_bits', '10']],
        ['permessage-deflate'],
      ],
    ],
  ])('parses %j', (value, expected) => {
    expect(parseExtensions(value)).toEqual(
      expected.map(([name, ...parameters]) => ({ name, parameters: parameters.map(p => parameter(...p)) })),
    )
  })

  it.each([
    '',
    ' ',
    ',',
    ' , ,',
    ';',
    ';a',
    'a;',
    'a;;b',
    'a; ,b',
    'a b',
    'a/b',
    'a=1',
    '"a"',
    'a;=1',
    'a; b=',
    'a; b=;c',
    'a; b==1',
    'a; b=1 2',
    'a; b=1=2',
    'a; b="',
    'a; b="1',
    'a; b="1\\',
    'a; b="1\\"',
    'a; b=""',
    'a; b="1 2"',
    'a; b="1,2"',
    'a; b="\\""',
    'a; b="\\\\"',
    'a; b="1"2',
    'a; b="1""2"',
    'a; b=1"2"',
    'a; "b"=1',
    'a; b=(1)',
    'a\x80',
    'a; b="\x80"',
    'a; b=\xff',
    'a; b\u0130',
  ])('refuses %j', value => {
    expect(parseExtensions(value)).toBeUndefined()
  })

  const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~\dA-Za-z]{1,8}$/)
  const extension = fc.record({
    name: token,
    parameters: fc.array(fc.record({ name: token, value: fc.option(token, { nil: undefined }) }), {
      maxLength: 4,
    }),
  })

  it('parses what it serializes', () => {
    fc.assert(
      fc.property(fc.array(extension, { minLength: 1, maxLength: 5 }), extensions => {
        expect(parseExtensions(serializeExtensions(extensions))).toEqual(extensions)
      }),
    )
  })

  it('parses the same with white space, quotes and escapes wherever they may be', () => {
    const space = fc.constantFrom('', ' ', '\t', ' \t ')
    fc.assert(
      fc.property(
        fc.array(extension, { minLength: 1, maxLength: 4 }),
        fc.infiniteStream(space),
        fc.infiniteStream(fc.nat(2)),
        (extensions, spaces, ways) => {
          const s = () => spaces.next().value
          const quote = (value: string) => {
            const way = ways.next().value
            if (way === 0) return value
            return way === 1 ? `"${value}"` : `"${value.replaceAll(/./g, String.raw`\$&`)}"`
          }
          const text = extensions
            .map(({ name, parameters }) =>
              [
                name,
                ...parameters.map(p =>
                  p.value === undefined ? p.name : `${p.name}${s()}=${s()}${quote(p.value)}`,
                ),
              ]
                .map(part => s() + part + s())
                .join(';'),
            )
            .join(`${s()},${s()}`)
          expect(parseExtensions(text)).toEqual(extensions)
        },
      ),
    )
  })

  it('never throws', () => {
    const piece = fc.constantFrom('a', '"', '\\', ';', ',', '=', ' ', '\t', '\x80', '1')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), pieces => {
        const parsed = parseExtensions(pieces.join(''))
        if (parsed !== undefined) expect(parseExtensions(serializeExtensions(parsed))).toEqual(parsed)
      }),
      { numRuns: 3000 },
    )
  })
})
