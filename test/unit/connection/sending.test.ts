import { describe, expect, it } from 'vitest'
import { StateError } from '../../../src/errors.js'
import { text } from '../../support/frames.js'
import { framesOf, MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { parseServerFrames, ping } from '../../support/peer-frames.js'

describe('what a connection sends', () => {
  it('in one turn leaves in one write, at the end of the turn', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    const sent = [connection.send('a'), connection.send(Buffer.from('b')), connection.ping('c')]
    expect(sent).toEqual(['sent', 'sent', 'sent'])
    expect(transport.calls).toEqual([])
    expect(connection.bufferedAmount).toBe(9)
    await turnEnd()
    expect(transport.calls).toEqual([{ how: 'now', parts: 1, offered: 9, taken: 9 }])
    expect(connection.bufferedAmount).toBe(0)
    expect(framesOf(transport)).toEqual(['text a', 'binary b', 'ping c'])
    await turnEnd()
    expect(transport.calls).toHaveLength(1)
  })

  it('leaves in one write also when several connections take turns', async () => {
    const shard = new MemoryShard()
    const all = Array.from({ length: 5 }, () => shard.connect())
    for (let i = 0; i < 40; i++) {
      for (const { connection } of all) {
        expect(connection.send(`${i} for ${connection.id}`)).toBe('sent')
        if (i % 7 === 0) connection.ping(`${i}`)
        if (i % 9 === 0) connection.send(Buffer.alloc(200, i))
      }
    }
    await turnEnd()
    const [first] = all.map(({ transport }) => parseServerFrames(transport.sent).length)
    for (const { connection, transport } of all) {
      expect(transport.calls).toHaveLength(1)
      const frames = framesOf(transport)
      expect(frames).toHaveLength(first)
      const texts = frames.filter(line => line.startsWith('text'))
      expect(texts).toEqual(Array.from({ length: 40 }, (_, i) => `text ${i} for ${connection.id}`))
      expect(connection.bufferedAmount).toBe(0)
    }
  })

  it('in promise callbacks of the turn is part of the same write', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    connection.send('1')
    await Promise.resolve()
    connection.send('2')
    await Promise.resolve()
    connection.send('3')
    await turnEnd()
    expect(transport.calls).toHaveLength(1)
    expect(framesOf(transport)).toEqual(['text 1', 'text 2', 'text 3'])
  })

  it('stays in order when the arena overflows within a turn', async () => {
    const shard = new MemoryShard()
    const all = Array.from({ length: 8 }, () => shard.connect())
    const message = Buffer.alloc(5000, 0x61)
    for (let i = 0; i < 60; i++) {
      for (const { connection } of all) {
        message.writeUInt32BE(i)
        connection.send(message)
      }
    }
    await turnEnd()
    for (const { transport } of all) {
      const numbers = parseServerFrames(transport.sent).map(({ payload }) => payload.readUInt32BE())
      expect(numbers).toEqual(Array.from({ length: 60 }, (_, i) => i))
    }
  })

  it('does not wait for the end of the turn once it comes to 64 KiB', () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    const message = Buffer.alloc(1000)
    let sent = 0
    while (transport.calls.length === 0) {
      connection.send(message)
      sent += 1004
    }
    expect(sent).toBeGreaterThanOrEqual(65_536)
    expect(sent).toBeLessThan(65_536 + 1004)
    // Alternating with another one, whose frames lie between ours in the arena, makes no difference.
    const [one, two] = [shard.connect(), shard.connect()]
    for (let i = 0; i < 1000; i++) {
      one.connection.send(message)
      two.connection.send(message)
      expect(one.connection.bufferedAmount).toBeLessThan(65_536 + 2 * 1004)
    }
  })

  it.each([
    ['', 'ascii', 'é', '走', '😀'],
    ['x'.repeat(48), 'x'.repeat(49), 'x'.repeat(125), 'x'.repeat(126), 'é'.repeat(62), 'é'.repeat(63)],
    [`${'x'.repeat(47)}é`, `é${'x'.repeat(47)}`, `${'x'.repeat(124)}é`, 'é'.repeat(21_842)],
    ['x'.repeat(65_535), 'x'.repeat(65_536), 'é'.repeat(32_767), 'é'.repeat(32_768), 'x'.repeat(300_000)],
  ])('is the text that was sent (%#)', async (...texts) => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    for (const sent of texts) connection.send(sent)
    await turnEnd()
    const frames = parseServerFrames(transport.sent)
    expect(frames.map(({ opcode }) => opcode)).toEqual(texts.map(() => 1))
    expect(frames.map(({ payload }) => payload.toString())).toEqual(texts)
  })

  it('has U+FFFD for half a surrogate pair', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    connection.send('a\ud800b')
    connection.send(`${'a'.repeat(60)}\udc00`)
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text a\ufffdb', `text ${'a'.repeat(60)}\ufffd`])
  })

  it('may be any kind of bytes, as binary or as text', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    const bytes = new TextEncoder().encode('.abc.')
    connection.send(bytes.buffer.slice(1, 4))
    connection.send(bytes.subarray(1, 4))
    connection.send(new DataView(bytes.buffer, 1, 3))
    const shared = new Uint8Array(new SharedArrayBuffer(3))
    shared.set(bytes.subarray(1, 4))
    connection.send(shared.buffer)
    connection.send(bytes.subarray(1, 4), false)
    connection.send('abc', true)
    connection.send('abc', false)
    await turnEnd()
    const binary = 'binary abc'
    expect(framesOf(transport)).toEqual([binary, binary, binary, binary, 'text abc', binary, 'text abc'])
  })

  it('is refused with an error when it is neither text nor bytes', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    for (const wrong of [5, null, undefined, {}, ['a'], true, Symbol('x'), () => {}] as never[]) {
      expect(() => connection.send(wrong)).toThrow(StateError)
      expect(() => connection.ping(wrong ?? 5)).toThrow(StateError)
    }
    expect(() => connection.ping('x'.repeat(126))).toThrow(/125 bytes/)
    await turnEnd()
    expect(transport.calls).toEqual([])
    expect(connection.readyState).toBe('open')
    expect(shard.counter('DROPPED')).toBe(0)
  })

  it('may be a view of the very message that is being delivered', async () => {
    const shard = new MemoryShard({
      views: true,
      message: (socket, data, isBinary) => void socket.send(data, isBinary),
    })
    const { transport } = shard.connect()
    transport.feed(Buffer.concat([text('short'), text('x'.repeat(30_000)), text('é')]))
    await turnEnd()
    expect(framesOf(transport)).toEqual(['text short', `text ${'x'.repeat(30_000)}`, 'text é'])
  })
})

describe('a large binary message', () => {
  const large = (length = 100_000): Buffer => Buffer.alloc(length, 0x61)

  it('leaves at once with what is in front of it in one gathered write, from where it is', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    connection.send('before')
    const message = large()
    expect(connection.send(message)).toBe('sent')
    expect(transport.calls).toEqual([{ how: 'parts', parts: 3, offered: 100_018, taken: 100_018 }])
    message.fill(0)
    connection.send('after')
    await turnEnd()
    expect(transport.calls).toHaveLength(2)
    expect(framesOf(transport)).toEqual(['text before', `binary ${large().toString()}`, 'text after'])
  })

  it('behind frames that alternate with those of others still leaves in one write', async () => {
    const shard = new MemoryShard()
    const [one, two] = [shard.connect(), shard.connect()]
    for (const name of ['1', '2', '3']) {
      one.connection.send(name)
      two.connection.send(name)
    }
    one.connection.send(large())
    expect(one.transport.calls).toHaveLength(1)
    expect(framesOf(one.transport)).toEqual(['text 1', 'text 2', 'text 3', `binary ${large().toString()}`])
  })

  it.each([0, 5, 7, 8, 11, 12, 17, 18, 19, 50_000, 100_016, 100_017])(
    'is copied as far as the kernel does not take it: %i bytes taken',
    async taken => {
      const shard = new MemoryShard()
      const { connection, transport } = shard.connect()
      transport.capacity = taken
      connection.send('before')
      const message = large()
      expect(connection.send(message)).toBe('buffered')
      message.fill(0x21)
      expect(connection.bufferedAmount).toBe(100_018 - taken)
      connection.send('after')
      await turnEnd()
      transport.take()
      expect(connection.bufferedAmount).toBe(0)
      const frames = ['text before', `binary ${large().toString()}`, 'text after']
      expect(framesOf(transport)).toEqual(frames)
    },
  )

  it('is copied when it waits behind others', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    transport.capacity = 0
    connection.send('before')
    await turnEnd()
    const message = large()
    expect(connection.send(message)).toBe('buffered')
    message.fill(0x21)
    transport.take()
    expect(framesOf(transport)).toEqual(['text before', `binary ${large().toString()}`])
  })
})

describe('a long text', () => {
  it.each([30_000, 65_000, 65_536, 250_000])('of %i characters goes through the arena', async length => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    connection.send('x'.repeat(length))
    await turnEnd()
    expect(transport.calls.map(({ how, parts }) => [how, parts])).toEqual([['now', 1]])
  })

  it('of less than 64 KiB waits for the end of the turn like a short one', async () => {
    const shard = new MemoryShard()
    const { connection, transport } = shard.connect()
    const long = 'é'.repeat(22_000)
    connection.send('before')
    connection.send(long)
    connection.send('after')
    expect(transport.calls).toEqual([])
    await turnEnd()
    expect(transport.calls).toHaveLength(1)
    expect(framesOf(transport)).toEqual(['text before', `text ${long}`, 'text after'])
  })
})

describe('the counters', () => {
  it('say what went in and out', async () => {
    const shard = new MemoryShard({ message: (socket, data) => void socket.send(data) })
    const { connection, transport } = shard.connect()
    const bytes = Buffer.concat([text('one'), ping(), text('x'.repeat(30_000)), text('y'.repeat(90_000))])
    transport.feed(bytes, 1000)
    connection.send(Buffer.alloc(50_000))
    await turnEnd()
    expect(shard.counter('MESSAGES_IN')).toBe(3)
    expect(shard.counter('MESSAGES_OUT')).toBe(4)
    expect(shard.counter('BYTES_IN')).toBe(bytes.length)
    expect(shard.counter('BYTES_OUT')).toBe(transport.sent.length)
    connection.terminate()
    transport.pump()
    expect(connection.send('late')).toBe('dropped')
    expect([shard.counter('OPENED'), shard.counter('CLOSED'), shard.counter('DROPPED')]).toEqual([1, 1, 1])
  })
})
