// examples/codec with compression, by the streams that Node and Chromium have. These tests run in both.
import { describe, expect, it } from 'vitest'
import { overCompressedStreams } from '../../examples/codec/compressed-streams.mjs'
import { deflate, inflate } from '../../examples/codec/deflate.mjs'
import { loadCodec } from '../../src/codec/index.js'
import { hex, text } from '../vectors/frames.js'

const codec = await loadCodec()

const noise = (length: number) => {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}

describe('inflating', () => {
  it.each([
    ['7.2.3.1, one block', 'f2 48 cd c9 c9 07 00'],
    ['7.2.3.3, a stored block', '00 05 00 fa ff 48 65 6c 6c 6f 00'],
    ['7.2.3.4, a final block', 'f3 48 cd c9 c9 07 00 00'],
    ['7.2.3.5, two blocks', 'f2 48 05 00 00 00 ff ff ca c9 c9 07 00'],
  ])('RFC 7692 %s', async (_name, payload) => {
    expect(await inflate(hex(payload), 5)).toEqual(text('Hello'))
    await expect(inflate(hex(payload), 4)).rejects.toThrow(RangeError)
  })

  it('an empty message', async () => {
    for (const payload of [hex('00'), hex('02 00'), new Uint8Array()]) {
      expect(await inflate(payload, 0)).toEqual(new Uint8Array())
    }
  })

  it('is the reverse of deflating', async () => {
    for (const bytes of [new Uint8Array(), text('a'), text('añ€😀 '.repeat(50_000)), noise(300_000)]) {
      const found = await inflate(await deflate(bytes), bytes.length)
      expect(found.length === bytes.length && found.every((byte, i) => byte === bytes[i])).toBe(true)
    }
    expect((await deflate(new Uint8Array(1_000_000))).length).toBeLessThan(2000)
  })

  it('ends where the message is too long', async () => {
    await expect(inflate(await deflate(new Uint8Array(30_000_000)), 65_536)).rejects.toThrow(
      'longer than 65536 bytes',
    )
  })

  it.each(['ff', 'ff ff ff ff', 'ff ff ff 00', 'f2 48 cd', 'f2 48 cd c9 c9'])('refuses %s', async payload => {
    await expect(inflate(hex(payload), 1000)).rejects.not.toBeInstanceOf(RangeError)
  })
})

describe('a pair of streams', () => {
  /** Both ends of a link, and what has gone over it. */
  function linked() {
    const sent = { client: 0, server: 0 }
    const counting = (end: 'client' | 'server') =>
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          sent[end] += chunk.length
          // In pieces, so that no frame comes whole.
          for (let at = 0; at < chunk.length; at += 1000) controller.enqueue(chunk.slice(at, at + 1000))
        },
      })
    const [up, down] = [counting('client'), counting('server')]
    return {
      sent,
      client: overCompressedStreams({ readable: down.readable, writable: up.writable }, 'client'),
      server: overCompressedStreams({ readable: up.readable, writable: down.writable }, 'server'),
    }
  }

  it('carries compressed messages in their order', async () => {
    const { client, server, sent } = linked()
    const messages = Array.from({ length: 30 }, (_, i) =>
      i % 3 === 0 ? noise(i * 50) : `${i} `.repeat(i * 500),
    )
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      const writer = from.writable.getWriter()
      const written = Promise.all([...messages.map(message => writer.write(message)), writer.close()])
      const reader = to.readable.getReader()
      for (const data of messages) {
        const type = typeof data === 'string' ? 'text' : 'binary'
        expect(await reader.read()).toEqual({ done: false, value: { type, data } })
      }
      expect(await reader.read()).toEqual({ done: true, value: undefined })
      await written
    }
    const total = messages.reduce((sum, { length }) => sum + length, 0)
    expect(sent.client).toBeLessThan(total / 4)
    expect(sent.server).toBeLessThan(total / 4)
  })

  it.each([
    ['what can not be inflated', hex('ff ff'), false, 1007],
    ['text that is not UTF-8', hex('00 01 00 fe ff ff 00'), false, 1007],
    ['what is too long', 2 ** 20 + 1, true, 1009],
  ])('closes at %s', async (_name, content, binary, code) => {
    const payload = typeof content === 'number' ? await deflate(new Uint8Array(content)) : content
    const [up, down] = [new TransformStream(), new TransformStream()]
    const server = overCompressedStreams({ readable: up.readable, writable: down.writable }, 'server')
    const frame = codec.encodeMessage(payload, { role: 'client', binary, rsv1: true })
    const written = up.writable.getWriter().write(frame)
    await expect(server.readable.getReader().read()).rejects.toMatchObject({ closeCode: code })
    await written
    const { value } = await down.readable.getReader().read()
    expect(codec.createDecoder({ role: 'client' }).push(value as Uint8Array)).toEqual([
      { type: 'close', code, reason: '' },
    ])
  })
})
