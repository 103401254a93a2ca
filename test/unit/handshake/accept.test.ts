import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { acceptKey, isValidKey } from '../../../src/handshake/accept.js'
import { ACCEPT_GUID } from '../../../src/rfc6455.js'

const byNode = (key: string) => createHash('sha1').update(`${key}${ACCEPT_GUID}`, 'latin1').digest('base64')

describe('acceptKey', () => {
  it('knows the example of RFC 6455 1.3', () => {
    expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  })

  it('agrees with node:crypto about 20,000 random keys', () => {
    for (let i = 0; i < 20_000; i++) {
      const key = randomBytes(16).toString('base64')
      expect(acceptKey(key), key).toBe(byNode(key))
    }
  })

  it('agrees with node:crypto about keys of one byte', () => {
    for (let byte = 0; byte < 256; byte++) {
      const key = String.fromCharCode(byte).repeat(24)
      expect(acceptKey(key)).toBe(byNode(key))
    }
  })

  it('throws at anything but 24 characters', () => {
    for (const key of ['', 'a'.repeat(23), 'a'.repeat(25), undefined as never, Array(24) as never]) {
      expect(() => acceptKey(key)).toThrow(expect.objectContaining({ code: 'ERR_STATE_KEY' }))
    }
  })
})

describe('isValidKey', () => {
  it('takes what encodes 16 bytes', () => {
    for (let i = 0; i < 2000; i++) expect(isValidKey(randomBytes(16).toString('base64'))).toBe(true)
  })

  it('has a verdict about every character in every place', () => {
    const key = 'ABCDEFGHIJKLMNOPQRSTUV=='
    for (let at = 0; at < 24; at++) {
      for (let code = 0; code < 300; code++) {
        const character = String.fromCharCode(code)
        const isValid = at < 22 ? /[A-Za-z\d+/]/.test(character) : character === '='
        const changed = key.slice(0, at) + character + key.slice(at + 1)
        if (isValidKey(changed) !== isValid)
          expect(isValidKey(changed), JSON.stringify(changed)).toBe(isValid)
      }
    }
    expect(isValidKey(key)).toBe(true)
  })

  it('refuses other lengths', () => {
    for (const bytes of [0, 1, 13, 14, 15, 17, 18, 19, 32]) {
      expect(isValidKey(Buffer.alloc(bytes).toString('base64'))).toBe(false)
    }
  })
})
