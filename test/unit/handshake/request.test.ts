import { describe, expect, it } from 'vitest'
import { Request } from '../../../src/handshake/request.js'
import { bytesOf, head, readInPieces } from './opening.js'

function request(text: string): Request {
  const { reader, end } = readInPieces(bytesOf(text), [])
  if (end === -1) throw new Error(`not a head: ${reader.error?.code}`)
  return new Request(reader.head)
}

describe('Request', () => {
  it('tells the request line', () => {
    const { method, url, version } = request('\r\nM-SEARCH http://a/b?c HTTP/2.7\r\n\r\n')
    expect([method, url, version]).toEqual(['M-SEARCH', 'http://a/b?c', '2.7'])
  })

  it('keeps the head', () => {
    expect(request(`${head()}rest`).head).toBe(head())
  })

  it('has no headers where there are none', () => {
    expect({ ...request('GET / HTTP/1.1\r\n\r\n').headers }).toEqual({})
    expect(request('GET / HTTP/1.1\r\n\r\n').get('host')).toBeUndefined()
  })

  it('gives headers by lower-case name, without white space around the values', () => {
    const { headers } = request(
      'GET / HTTP/1.1\r\nHOST:\t a \t\r\nX-a: b \t c\r\nX-Empty:\r\nX-Blank: \t \r\n\r\n',
    )
    expect(Object.entries(headers)).toEqual([
      ['host', 'a'],
      ['x-a', 'b \t c'],
      ['x-empty', ''],
      ['x-blank', ''],
    ])
  })

  it('takes values for values, whatever they look like', () => {
    const { headers } = request('GET /:a HTTP/1.1\r\na: b: c\r\nd::\r\ne:\xff\x80\r\n\r\n')
    expect({ ...headers }).toEqual({ a: 'b: c', d: ':', e: '\xff\x80' })
  })

  it('joins what comes in several lines, empty ones too', () => {
    const { headers } = request(
      'GET / HTTP/1.1\r\nA: 1\r\nCookie: x=1\r\na:\r\nA: 2\r\ncookie: y=2\r\nB:\r\nB:\r\n\r\n',
    )
    expect({ ...headers }).toEqual({ a: '1, , 2', cookie: 'x=1; y=2', b: ', ' })
  })

  it('is safe against names of the prototype', () => {
    const { headers } = request('GET / HTTP/1.1\r\n__proto__: x\r\nconstructor: y\r\n\r\n')
    expect(Object.getPrototypeOf(headers)).toBeNull()
    expect(Object.keys(headers)).toEqual(['__proto__', 'constructor'])
    expect(request('GET / HTTP/1.1\r\n\r\n').headers.valueOf).toBeUndefined()
  })

  it('gives one header by its name in any case', () => {
    const { get } = Request.prototype
    const asked = request(
      'GET / HTTP/1.1\r\nX-AB: 1\r\nx-a: 2\r\nx-ab:\t3\r\ncookie: a\r\nCookie: b\r\n_: 4\r\n\r\n',
    )
    expect(['X-Ab', 'X-A', 'cookie', '_', 'x', 'X-ABC', ''].map(name => get.call(asked, name))).toEqual([
      '1, 3',
      '2',
      'a; b',
      '4',
      undefined,
      undefined,
      undefined,
    ])
  })

  it('does not take one character for another that differs in one bit', () => {
    const asked = request('GET / HTTP/1.1\r\nx^a: 1\r\nx\x60b: 2\r\n\r\n')
    expect(asked.get('x~a')).toBeUndefined()
    expect(asked.get('X^A')).toBe('1')
    expect(asked.get('X@B')).toBeUndefined()
  })

  it('agrees with itself: every header by get and in headers', () => {
    const asked = request(head({ add: ['A: 1', 'a: 2', 'Cookie: x', 'Cookie: y', 'Z-z:'] }))
    for (const [name, value] of Object.entries(asked.headers))
      expect(asked.get(name.toUpperCase())).toBe(value)
  })

  it('gives the same headers while they are in use', () => {
    const asked = request(head())
    expect(asked.headers).toBe(asked.headers)
  })
})
