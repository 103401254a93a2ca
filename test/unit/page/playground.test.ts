import { describe, expect, it } from 'vitest'
import { ownAddress, parseAddress, parseSubprotocols } from '../../../page/address.js'
import { BackOff, STEADY_MS } from '../../../page/back-off.js'
import { layoutStream } from '../../../page/frame-layout.js'
import { previewOf } from '../../../page/message-list.js'
import {
  encodeEntry,
  entryOf,
  MessageLog,
  MOST_ENTRIES,
  MOST_KEPT_BYTES,
  originOf,
} from '../../../page/message-log.js'
import { MOST_TIMES, RoundTrips } from '../../../page/round-trips.js'
import { MOST_SHARED_BYTES, parseRoute, serializeRoute } from '../../../page/route.js'
import { describeFrame } from '../../../page/stepping.js'
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
    ['/chat?a=1', { url: 'ws://localhost:9000/chat?a=1' }],
    ['ws://a%20b', { fault: 'This is no address: it should look like ws://localhost:9000/' }],
    ['ws://a b', { fault: 'This is no address: it should look like ws://localhost:9000/' }],
  ])('%j', (text, parsed) => {
    expect(parseAddress(text, 'ws://localhost:9000/tools/')).toEqual(parsed)
  })

  it('subprotocols', () => {
    expect(parseSubprotocols(' chat, superchat  v1.x!~ ')).toEqual({ names: ['chat', 'superchat', 'v1.x!~'] })
    expect(parseSubprotocols('')).toEqual({ names: [] })
  })

  it.each([
    ['chat a"b', /“a"b” is no subprotocol/],
    ['grün', /“grün” is no subprotocol/],
    ['chat, x, chat', /chat is there twice/],
  ])('subprotocols that a browser refuses: %j', (text, fault) => {
    expect(parseSubprotocols(text)).toEqual({ fault: expect.stringMatching(fault) as string })
  })
})

describe('the wait before it connects again', () => {
  it('is longer and longer, and never too long', () => {
    const backOff = new BackOff()
    const waits = Array.from({ length: 1000 }, () => backOff.ended(0, 1))
    expect([0, 1, 2, 6, 999].map(index => waits[index])).toEqual([500, 1000, 2000, 30_000, 30_000])
    backOff.reset()
    expect([backOff.ended(0, 0), backOff.ended(0, 0)]).toEqual([250, 500])
  })

  it('is not begun anew by a connection that is closed at once, but by one that lasts', () => {
    const backOff = new BackOff()
    const waits = [0, 1, 2].map(index => {
      backOff.opened(index * 1000)
      return backOff.ended(index * 1000 + STEADY_MS - 1, 1)
    })
    expect(waits).toEqual([500, 1000, 2000])
    backOff.opened(5000)
    expect(backOff.ended(5000 + STEADY_MS, 1)).toBe(500)
    // An attempt that failed has not lasted since the one before.
    expect(backOff.ended(100_000, 1)).toBe(1000)
  })
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
    expect(sent).toMatchObject({ role: 'server', isCut: false })
    expect(codec.createDecoder({ role: 'server' }).push(sent.bytes)).toEqual([{ type: 'text', data: 'hi' }])
    const received = encodeEntry(codec, entryOf('received', Uint8Array.of(1), 0))
    expect(received).toMatchObject({ role: 'client', bytes: Uint8Array.of(0x82, 1, 1) })
  })

  it.each([
    ['received', 70_000],
    ['sent', MOST_KEPT_BYTES + 1],
    ['received', 3 * 2 ** 20],
    ['sent', 500 * 2 ** 20],
  ] as const)(
    'are encoded as far as they were kept, and read without fault: %s, %i bytes',
    (direction, size) => {
      const entry = { ...entryOf(direction, new Uint8Array(70_000).fill(7), 0), size }
      const sample = encodeEntry(codec, entry)
      expect(sample.bytes.length).toBe((direction === 'sent' ? 14 : 10) + MOST_KEPT_BYTES)
      const { frames, violation } = layoutStream(codec, sample)
      expect(violation).toBeUndefined()
      expect(frames).toHaveLength(1)
      expect(frames[0]).toMatchObject({ payloadLength: BigInt(size), isComplete: false, isCut: true })
      expect(frames[0].unmasked.every(byte => byte === 7)).toBe(true)
      expect(describeFrame(frames[0], sample.bytes.length)).toMatch(/the rest is left out$/)
      expect(originOf(entry)).toContain(`The first 65,536 of the ${size.toLocaleString('en-US')} bytes`)
    },
  )

  it('are listed by their beginning, which does not end inside a character', () => {
    const of = (text: string) => previewOf(entryOf('received', text, 0))
    expect(of(`x${'é'.repeat(100)}`)).toBe(`x${'é'.repeat(79)} …`)
    expect(of('é'.repeat(80))).toBe('é'.repeat(80))
    expect(previewOf(entryOf('sent', new Uint8Array(41), 0))).toBe(`${Array(40).fill('00').join(' ')} …`)
  })

  it('are whole up to what is kept', () => {
    const entry = entryOf('received', 'x'.repeat(MOST_KEPT_BYTES), 0)
    const sample = encodeEntry(codec, entry)
    expect(layoutStream(codec, sample).frames[0]).toMatchObject({ isComplete: true, isCut: false })
    expect(originOf(entry)).toMatch(/^A message of the playground/)
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
    expect(trips.summary).toEqual({ last: 1, least: 1, median: 2, most: 3 })
  })

  it('that do not come back are counted', () => {
    const trips = new RoundTrips()
    trips.begin(0)
    expect(trips.begin(9999)).toBeUndefined()
    expect(trips.begin(10_001)).toBeTypeOf('string')
    expect(trips).toMatchObject({ lost: 1, summary: undefined })
  })

  it('have the middle one of an odd number of times as the median', () => {
    const trips = new RoundTrips()
    for (const ms of [9, 1, 2]) trips.receive(trips.begin(0) as string, ms)
    expect(trips.summary).toEqual({ last: 2, least: 1, median: 2, most: 9 })
  })

  it('do not count PING among the texts that are lost', () => {
    const trips = new RoundTrips()
    trips.pinged(0)
    expect(trips.isWaiting(9999)).toBe(true)
    expect(trips.isWaiting(10_001)).toBe(false)
    expect(trips).toMatchObject({ sent: 0, lost: 0 })
  })

  it('of another server are others', () => {
    const trips = new RoundTrips()
    trips.receive(trips.begin(0) as string, 5)
    trips.begin(0)
    trips.begin(20_000)
    expect(trips).toMatchObject({ times: [5], lost: 1, sent: 3 })
    trips.clear()
    expect(trips).toMatchObject({ times: [], lost: 0, sent: 0, summary: undefined })
    expect(trips.isWaiting(20_001)).toBe(false)
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
    const shared = { role: 'client' as const, bytes: Uint8Array.of(0x81, 0), isLimited: true }
    const link = serializeRoute({ view: 'inspector', shared })
    expect(link).toBe('#inspector?role=client&hex=8100')
    expect(parseRoute(link)).toEqual({ view: 'inspector', shared })
    expect(parseRoute('#inspector?hex=8100')).toMatchObject({ shared: { role: 'server', isLimited: true } })
    const wide = serializeRoute({ view: 'inspector', shared: { ...shared, isLimited: false } })
    expect(wide).toBe('#inspector?role=client&limit=no&hex=8100')
    expect(parseRoute(wide)).toEqual({ view: 'inspector', shared: { ...shared, isLimited: false } })
  })

  it('leave out what is too long, and what can not be read', () => {
    const bytes = new Uint8Array(MOST_SHARED_BYTES + 1)
    expect(serializeRoute({ view: 'inspector', shared: { role: 'server', bytes } })).toBe('#inspector')
    const beginning = { role: 'server' as const, bytes: Uint8Array.of(0x81), isCut: true }
    expect(serializeRoute({ view: 'inspector', shared: beginning })).toBe('#inspector')
    expect(parseRoute('#inspector?hex=8')).toEqual({ view: 'inspector' })
    expect(parseRoute('#inspector?hex=%3Cscript%3E')).toEqual({ view: 'inspector' })
  })
})
