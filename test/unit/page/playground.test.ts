import { describe, expect, it } from 'vitest'
import { ownAddress, parseAddress, parseSubprotocols } from '../../../page/address.js'
import { backOffMs } from '../../../page/back-off.js'
import { encodeEntry, entryOf, MessageLog, MOST_ENTRIES, MOST_KEPT_BYTES } from '../../../page/message-log.js'
import { MOST_TIMES, RoundTrips } from '../../../page/round-trips.js'
import { MOST_SHARED_BYTES, parseRoute, serializeRoute } from '../../../page/route.js'
import { loadCodec } from '../../../src/codec/index.js'

const codec = await loadCodec()

describe('the address', () => {
  it.each([
    ['http://localhost:9000/', '', 'ws://localhost:9000/'],
    ['https://x.example/?a=1#inspector', '', 'wss://x.example/'],
    ['http://localhost:9000/#handshake', '/chat', 'ws://localhost:9000/chat'],
    ['https://x.example/tools/', '', 'wss://x.example/tools/'],
    ['https://x.example/tools/', '/chat', 'wss://x.example/chat'],
  ])('of the server of %s with path %j is %s', (page, path, address) => {
    expect(ownAddress(page, path)).toBe(address)
  })

  it.each([
    ['localhost:9000', { url: 'ws://localhost:9000/' }],
    [' wss://x.example/chat?a=1#b ', { url: 'wss://x.example/chat?a=1' }],
    ['https://x.example', { url: 'wss://x.example/' }],
    ['http://[::1]:9000/', { url: 'ws://[::1]:9000/' }],
    ['ftp://x.example', { fault: 'Addresses of WebSockets begin with ws:// or wss://, not ftp://' }],
    ['', { fault: 'This is no address: it should look like ws://localhost:9000/' }],
    ['ws://a b', { fault: 'This is no address: it should look like ws://localhost:9000/' }],
  ])('%j', (text, parsed) => {
    expect(parseAddress(text)).toEqual(parsed)
  })

  it('subprotocols', () => {
    expect(parseSubprotocols(' chat, superchat  x ')).toEqual(['chat', 'superchat', 'x'])
    expect(parseSubprotocols('')).toEqual([])
  })
})

it('waits longer and longer before it connects again, and never too long', () => {
  expect([0, 1, 2, 6, 1000].map(failures => backOffMs(failures, 1))).toEqual([
    500, 1000, 2000, 30_000, 30_000,
  ])
  expect(backOffMs(3, 0)).toBe(2000)
})

describe('the messages', () => {
  it('are kept up to a number', () => {
    const log = new MessageLog()
    for (let i = 0; i < MOST_ENTRIES + 7; i++) log.add(entryOf('sent', String(i), i))
    expect(log).toMatchObject({ dropped: 7, entries: { length: MOST_ENTRIES } })
    expect(log.entries[0].time).toBe(7)
    log.clear()
    expect(log).toMatchObject({ dropped: 0, entries: [] })
  })

  it('are kept up to a number of bytes, of each the first', () => {
    const log = new MessageLog()
    for (let i = 0; i < 200; i++) log.add(entryOf('received', new Uint8Array(100_000), i))
    expect(log.dropped).toBe(72)
    expect(log.entries[0]).toMatchObject({ size: 100_000, data: { length: MOST_KEPT_BYTES } })
  })

  it('are encoded again, as a client or a server would', () => {
    const sent = encodeEntry(codec, entryOf('sent', 'hi', 0))
    expect(sent?.role).toBe('server')
    expect(codec.createDecoder({ role: 'server' }).push(sent?.bytes as Uint8Array)).toEqual([
      { type: 'text', data: 'hi' },
    ])
    const received = encodeEntry(codec, entryOf('received', Uint8Array.of(1), 0))
    expect(received).toEqual({ role: 'client', bytes: Uint8Array.of(0x82, 1, 1) })
  })

  it('are encoded as far as they were kept', () => {
    const encoded = encodeEntry(codec, entryOf('received', new Uint8Array(70_000).fill(7), 0))
    expect(encoded?.bytes.length).toBe(10 + MOST_KEPT_BYTES)
    expect([...(encoded?.bytes.subarray(0, 11) ?? [])]).toEqual([0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70, 7])
    const size = 65 * 2 ** 20
    expect(encodeEntry(codec, { ...entryOf('sent', '', 0), size })).toBeUndefined()
  })
})

describe('round trips', () => {
  it('are measured one at a time, by the text that comes back', () => {
    const trips = new RoundTrips()
    const text = trips.begin(1000) as string
    expect(trips.begin(1001)).toBeUndefined()
    expect(trips.receive('something else', 1002)).toBeUndefined()
    expect(trips.receive(text, 1003)).toBe('probe')
    expect(trips.receive(text, 1004)).toBeUndefined()
    trips.pinged(2000)
    expect(trips.receive('PONG', 2001)).toBe('ping')
    expect(trips.times).toEqual([3, 1])
    expect(trips.summary).toEqual({ last: 1, least: 1, median: 3, most: 3 })
  })

  it('that do not come back are counted', () => {
    const trips = new RoundTrips()
    trips.begin(0)
    expect(trips.begin(9999)).toBeUndefined()
    expect(trips.begin(10_001)).toBeTypeOf('string')
    expect(trips).toMatchObject({ lost: 1, summary: undefined })
  })

  it('are kept up to a number', () => {
    const trips = new RoundTrips()
    for (let i = 0; i < MOST_TIMES + 5; i++) trips.receive(trips.begin(0) as string, i)
    expect(trips.times).toHaveLength(MOST_TIMES)
    expect(trips.times[0]).toBe(5)
  })
})

describe('links', () => {
  it.each(['', '#', '#nothing', '#playground', '#playground?hex=81'])('%j is the playground', hash => {
    expect(parseRoute(hash)).toEqual({ view: 'playground' })
  })

  it('bring frames', () => {
    const shared = { role: 'client' as const, bytes: Uint8Array.of(0x81, 0) }
    const link = serializeRoute({ view: 'inspector', shared })
    expect(link).toBe('#inspector?role=client&hex=8100')
    expect(parseRoute(link)).toEqual({ view: 'inspector', shared })
    expect(parseRoute('#inspector?hex=8100')).toMatchObject({ shared: { role: 'server' } })
  })

  it('leave out what is too long, and what can not be read', () => {
    const bytes = new Uint8Array(MOST_SHARED_BYTES + 1)
    expect(serializeRoute({ view: 'inspector', shared: { role: 'server', bytes } })).toBe('#inspector')
    expect(parseRoute('#inspector?hex=8')).toEqual({ view: 'inspector' })
    expect(parseRoute('#inspector?hex=%3Cscript%3E')).toEqual({ view: 'inspector' })
  })
})
