import { describe, expect, it } from 'vitest'
import { OptionError } from '../../../src/errors.js'
import { LOAD_RANGES, type LoadNumber, resolveLoadOptions } from '../../../src/load/load-options.js'

const URL_TEXT = 'ws://localhost:9000/chat?room=1'

describe('resolveLoadOptions', () => {
  it('fills in the defaults', () => {
    const { payload, ...options } = resolveLoadOptions(URL_TEXT)
    expect(options).toMatchObject({
      connections: 50,
      duration: 10,
      pipelining: 1,
      size: 20,
      rate: 0,
      processes: 1,
    })
    expect(options.url.href).toBe(URL_TEXT)
    expect(payload.length).toBe(20)
  })

  it.each(Object.keys(LOAD_RANGES) as LoadNumber[])('takes the limits of %s and nothing beyond', name => {
    const { min, max } = LOAD_RANGES[name]
    const others = name === 'processes' ? { connections: 100 } : {}
    const resolve = (value: number) => resolveLoadOptions(URL_TEXT, { ...others, [name]: value })
    expect(resolve(min)[name]).toBe(min)
    if (name !== 'size') expect(resolve(max)[name]).toBe(max)
    for (const value of [min - 1, max + 1, NaN]) {
      expect(() => resolve(value)).toThrow(`${name} must be a`)
      expect(() => resolve(value)).toThrow(OptionError)
    }
  })

  it('takes a message of its own, whose size it is', () => {
    const payload = Buffer.from('Grüße')
    expect(resolveLoadOptions(URL_TEXT, { payload, text: true })).toMatchObject({ payload, size: 7 })
  })

  it.each([
    [{ payload: Buffer.from([0xff]), text: true }, 'not UTF-8'],
    [{ processes: 2, connections: 1 }, 'at least one connection for each process'],
    [{ connections: 1.5 }, 'a whole number'],
    [{ headers: ['Origin'] }, 'a header must be a line'],
    [{ headers: ['A: b\r\nC: d'] }, 'a header must be a line'],
    [{ headers: ['Sec-WebSocket-Key: abc'] }, 'Sec-WebSocket-Key is set already'],
  ])('refuses %j', (given, text) => {
    expect(() => resolveLoadOptions(URL_TEXT, given)).toThrow(text)
  })

  it.each(['http://localhost/', 'wss://localhost/', 'localhost:9000', 'ws://localhost/#x', ''])(
    'refuses the target %j',
    url => {
      expect(() => resolveLoadOptions(url)).toThrow('the target must be a ws:// URL')
    },
  )
})
