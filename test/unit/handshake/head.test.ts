import { describe, expect, it, vi } from 'vitest'
import { HeadReader } from '../../../src/handshake/head.js'
import { bytesOf, head, LIMITS, readInPieces } from './opening.js'

describe('HeadReader', () => {
  const good = head({ add: ['X-Empty:', 'X-Bytes: \x80\xff\t!', 'X-Odd_~name:\t v \t'] })

  it('ends after the blank line and leaves what follows', () => {
    const { reader, end } = readInPieces(bytesOf(`${good}\x81\x80\r\n\r\n`), [])
    expect(end).toBe(good.length)
    expect(reader.error).toBeUndefined()
    expect(reader.head).toBe(good)
  })

  it('reads from an offset', () => {
    const bytes = bytesOf(`xyz${good}abc`)
    const reader = new HeadReader(LIMITS)
    expect(reader.read(bytes, 3, bytes.length)).toBe(3 + good.length)
    expect(reader.head).toBe(good)
  })

  it('takes the head byte by byte', () => {
    const bytes = bytesOf(`\r\n${good}`)
    const { reader, end } = readInPieces(bytes, [...bytes.keys()])
    expect(end).toBe(bytes.length)
    expect(reader.head).toBe(good)
  })

  it('takes the head in two pieces, cut anywhere', () => {
    const bytes = bytesOf(`${good}!`)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { reader, end } = readInPieces(bytes, [cut])
      expect(end, `cut at ${cut}`).toBe(good.length)
      expect(reader.head, `cut at ${cut}`).toBe(good)
    }
  })

  it('wants more of an incomplete head, however little is missing', () => {
    const { reader, end } = readInPieces(bytesOf(good.slice(0, -1)), [])
    expect(end).toBe(-1)
    expect(reader.error).toBeUndefined()
    expect(reader.head).toBe('')
  })

  it('ignores one empty line before the request line, not two', () => {
    expect(readInPieces(bytesOf(`\r\n${good}`), []).reader.head).toBe(good)
    expect(readInPieces(bytesOf(`\r\n\r\n${good}`), []).reader.error?.code).toBe('ERR_HANDSHAKE_REQUEST_LINE')
  })

  it('reads a head without header lines', () => {
    expect(readInPieces(bytesOf('GET / HTTP/1.0\r\n\r\n'), []).end).toBe(18)
  })

  const line = 'GET / HTTP/1.1\r\n'
  /** The last byte of each is the first one that can't be part of a head. */
  const violations: readonly (readonly [what: string, bytes: string, code: string])[] = [
    ['a TLS ClientHello', '\x16', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a NUL', '\0', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a space before the method', ' ', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a bare LF before the method', '\n', 'ERR_HANDSHAKE_BARE_LF'],
    ['a bare CR before the method', '\rG', 'ERR_HANDSHAKE_BARE_CR'],
    ['an empty line ended twice', '\r\r', 'ERR_HANDSHAKE_BARE_CR'],
    ['a method that is no token', 'G(', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a method with a byte above 0x7f', 'G\xc3', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a method alone', 'GET\r', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a method alone with LF', 'GET\n', 'ERR_HANDSHAKE_BARE_LF'],
    ['a tab after the method', 'GET\t', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['two spaces after the method', 'GET  ', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['no HTTP version', 'GET /\r', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['no HTTP version after the space', 'GET / \r', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a control character in the target', 'GET /\x01', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['DEL in the target', 'GET /\x7f', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a byte above 0x7f in the target', 'GET /\x80', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a tab after the target', 'GET /\t', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['two spaces after the target', 'GET /  ', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a space in the target', 'GET /a b', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['http in lower case', 'GET / h', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['another protocol', 'GET / I', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a version of one number', 'GET / HTTP/1\r', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a version of two digits', 'GET / HTTP/1.11', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a version of letters', 'GET / HTTP/x', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['a space after the version', 'GET / HTTP/1.1 ', 'ERR_HANDSHAKE_REQUEST_LINE'],
    ['LF after the version', 'GET / HTTP/1.1\n', 'ERR_HANDSHAKE_BARE_LF'],
    ['a bare CR after the version', 'GET / HTTP/1.1\rH', 'ERR_HANDSHAKE_BARE_CR'],
    ['two CR after the version', 'GET / HTTP/1.1\r\r', 'ERR_HANDSHAKE_BARE_CR'],
    ['white space before the first header', `${line} `, 'ERR_HANDSHAKE_OBS_FOLD'],
    ['a folded line', `${line}A: b\r\n `, 'ERR_HANDSHAKE_OBS_FOLD'],
    ['a line folded with a tab', `${line}A: b\r\n\t`, 'ERR_HANDSHAKE_OBS_FOLD'],
    ['an empty name', `${line}:`, 'ERR_HANDSHAKE_FIELD_NAME'],
    ['a space before the colon', `${line}Host `, 'ERR_HANDSHAKE_FIELD_NAME'],
    ['a tab before the colon', `${line}Host\t`, 'ERR_HANDSHAKE_FIELD_NAME'],
    ['a name with a slash', `${line}Ho/`, 'ERR_HANDSHAKE_FIELD_NAME'],
    ['a name with a NUL', `${line}Ho\0`, 'ERR_HANDSHAKE_FIELD_NAME'],
    ['a name with a byte above 0x7f', `${line}Ho\xe9`, 'ERR_HANDSHAKE_FIELD_NAME'],
    ['a quoted name', `${line}"`, 'ERR_HANDSHAKE_FIELD_NAME'],
    ['a line without a colon', `${line}Host\r`, 'ERR_HANDSHAKE_FIELD_NAME'],
    ['a name that ends with LF', `${line}Host\n`, 'ERR_HANDSHAKE_BARE_LF'],
    ['a NUL in a value', `${line}A: b\0`, 'ERR_HANDSHAKE_FIELD_VALUE'],
    ['a control character in a value', `${line}A: b\x0b`, 'ERR_HANDSHAKE_FIELD_VALUE'],
    ['an escape in a value', `${line}A:\x1b`, 'ERR_HANDSHAKE_FIELD_VALUE'],
    ['DEL in a value', `${line}A: b\x7f`, 'ERR_HANDSHAKE_FIELD_VALUE'],
    ['a value that ends with LF', `${line}A: b\n`, 'ERR_HANDSHAKE_BARE_LF'],
    ['a value with a bare CR', `${line}A: b\rc`, 'ERR_HANDSHAKE_BARE_CR'],
    ['a value that ends with CR CR LF', `${line}A: b\r\r`, 'ERR_HANDSHAKE_BARE_CR'],
    ['a blank line of LF', `${line}A: b\r\n\n`, 'ERR_HANDSHAKE_BARE_LF'],
    ['a blank line with a bare CR', `${line}A: b\r\n\rx`, 'ERR_HANDSHAKE_BARE_CR'],
  ]
  it.each(violations)('refuses %s', (_, bytes, code) => {
    const whole = readInPieces(bytesOf(`${bytes}${good}`), []).reader
    expect(whole.error?.code).toBe(code)
    expect(whole.error?.status).toBe(400)
    expect(whole.head).toBe('')
  })

  it.each(violations)('refuses %s at that byte', (_, bytes, code) => {
    expect(readInPieces(bytesOf(bytes.slice(0, -1)), []).reader.error).toBeUndefined()
    expect(readInPieces(bytesOf(bytes), []).reader.error?.code).toBe(code)
    expect(
      readInPieces(
        bytesOf(bytes),
        [...bytes].map((_character, i) => i),
      ).reader.error?.code,
    ).toBe(code)
  })

  it('has a verdict about every byte in every place', () => {
    const token = /[!#$%&'*+\-.^_`|~\dA-Za-z]/
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte)
      const refuses = (text: string) => readInPieces(bytesOf(text), []).reader.error !== undefined
      expect(refuses(`GE${character}`), `method ${byte}`).toBe(!token.test(character) && character !== ' ')
      expect(refuses(`GET /${character}`), `target ${byte}`).toBe(!/[ -~]/.test(character))
      expect(refuses(`${line}X${character}`), `name ${byte}`).toBe(
        !token.test(character) && character !== ':',
      )
      expect(refuses(`${line}X: ${character}`), `value ${byte}`).toBe(!/[\t -~\x80-\xff\r]/.test(character))
    }
  })

  describe('limits', () => {
    it.each([1, 7, 16384])('takes a head of exactly maxHeaderBytes, in pieces of %d', size => {
      const exact = head({ add: [`X-Fill: ${'x'.repeat(4000)}`] })
      const bytes = bytesOf(exact)
      const cuts = Array.from({ length: Math.ceil(bytes.length / size) - 1 }, (_, i) => (i + 1) * size)
      const enough = readInPieces(bytes, cuts, { ...LIMITS, maxHeaderBytes: bytes.length })
      expect(enough.end).toBe(bytes.length)
      expect(enough.reader.head).toBe(exact)
      const tooFew = readInPieces(bytes, cuts, { ...LIMITS, maxHeaderBytes: bytes.length - 1 })
      expect(tooFew.end).toBe(-1)
      expect(tooFew.reader.error).toMatchObject({ status: 431, code: 'ERR_HANDSHAKE_HEAD_TOO_LONG' })
    })

    it('counts the empty line before the request line', () => {
      const bytes = bytesOf(`\r\n${good}`)
      expect(readInPieces(bytes, [], { ...LIMITS, maxHeaderBytes: bytes.length }).end).toBe(bytes.length)
      expect(
        readInPieces(bytes, [], { ...LIMITS, maxHeaderBytes: bytes.length - 1 }).reader.error?.status,
      ).toBe(431)
    })

    it('does not count what follows the head', () => {
      const bytes = bytesOf(good + 'x'.repeat(100_000))
      expect(readInPieces(bytes, [], { ...LIMITS, maxHeaderBytes: good.length }).end).toBe(good.length)
    })

    it('refuses a request line that never ends', () => {
      const reader = readInPieces(bytesOf(`GET /${'a'.repeat(20_000)}`), []).reader
      expect(reader.error).toMatchObject({ status: 431, code: 'ERR_HANDSHAKE_HEAD_TOO_LONG' })
    })

    it('reports what is wrong within the limit before the limit', () => {
      const reader = readInPieces(bytesOf(`GET /\0${'a'.repeat(20_000)}`), []).reader
      expect(reader.error?.code).toBe('ERR_HANDSHAKE_REQUEST_LINE')
    })

    it.each([1, 2, 100, 2000])('takes %d header lines and not one more', count => {
      const lines = (n: number) => bytesOf(`GET / HTTP/1.1\r\n${'a:b\r\n'.repeat(n)}\r\n`)
      const limits = { maxHeaderBytes: 65536, maxHeaderLines: count }
      for (const size of [1, 65536]) {
        const cuts = (bytes: Uint8Array) => (size === 1 ? [...bytes.keys()] : [])
        const enough = lines(count)
        expect(readInPieces(enough, cuts(enough), limits).end).toBe(enough.length)
        const tooMany = lines(count + 1)
        const { reader } = readInPieces(tooMany, cuts(tooMany), limits)
        expect(reader.error).toMatchObject({ status: 431, code: 'ERR_HANDSHAKE_TOO_MANY_LINES' })
      }
    })
  })

  it('looks at each byte once and copies each a bounded number of times', () => {
    const bytes = bytesOf(head({ add: [`X-Fill: ${'x'.repeat(16_000)}`] }))
    let looks = 0
    let copied = 0
    const set = vi.spyOn(Uint8Array.prototype, 'set')
    const reader = new HeadReader(LIMITS)
    let end = -1
    for (let at = 0; at < bytes.length; at++) {
      const piece = bytes.slice(at, at + 1)
      const watched = new Proxy(piece, {
        get(target, property) {
          if (property === '0') looks++
          const value: unknown = Reflect.get(target, property, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
      end = reader.read(watched, 0, 1)
    }
    for (const [source] of set.mock.calls) copied += source.length
    set.mockRestore()
    expect(end).toBe(1)
    expect(reader.head.length).toBe(bytes.length)
    // Within one call a byte may be loaded for its class and again for its value.
    expect(looks).toBeLessThanOrEqual(4 * bytes.length)
    // Each byte once when it comes, and all together at most twice more as the copy doubles.
    expect(copied).toBeLessThanOrEqual(3 * bytes.length)
  })

  it('copies nothing of a head that comes whole', () => {
    const set = vi.spyOn(Uint8Array.prototype, 'set')
    const bytes = bytesOf(good)
    const reader = new HeadReader(LIMITS)
    set.mockClear()
    reader.read(bytes, 0, bytes.length)
    const calls = set.mock.calls.length
    set.mockRestore()
    expect(calls).toBe(0)
    expect(reader.head).toBe(good)
  })
})
