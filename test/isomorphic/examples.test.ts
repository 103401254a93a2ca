// examples/codec: a link over each kind of transport that Node has, too. These tests run there and in Chromium.
import { expect, it } from 'vitest'
import { overPort } from '../../examples/codec/message-port.mjs'
import { overStreams } from '../../examples/codec/streams.mjs'
import { Received } from '../support/received.js'
import { hex } from '../vectors/frames.js'

const bytes = Uint8Array.of(1, 2, 3)

it('a MessagePort', async () => {
  const { port1, port2 } = new MessageChannel()
  const [atClient, atServer] = [new Received(), new Received()]
  const client = overPort(port1, 'client', atClient.add)
  const server = overPort(port2, 'server', atServer.add)
  client.send('hello')
  expect(await atServer.next()).toEqual({ type: 'text', data: 'hello' })
  server.send(bytes)
  expect(await atClient.next()).toEqual({ type: 'binary', data: bytes })
  port1.postMessage(hex('89 80 00 00 00 00'))
  expect(await atServer.next()).toMatchObject({ type: 'ping' })
  expect(await atClient.next()).toMatchObject({ type: 'pong' })
  port2.postMessage(hex('ff'))
  expect(await atClient.next()).toMatchObject({ type: 'error', error: { closeCode: 1002 } })
  expect(await atServer.next()).toEqual({ type: 'close', code: 1002, reason: '' })
  for (const port of [port1, port2]) port.close()
})

it('a pair of streams', async () => {
  const [up, down] = [new TransformStream(), new TransformStream()]
  const client = overStreams({ readable: down.readable, writable: up.writable }, 'client')
  const server = overStreams({ readable: up.readable, writable: down.writable }, 'server')
  const writer = client.writable.getWriter()
  const reader = server.readable.getReader()
  const written = writer.write('hello').then(() => writer.close())
  expect(await reader.read()).toEqual({ done: false, value: { type: 'text', data: 'hello' } })
  expect(await reader.read()).toEqual({ done: true, value: undefined })
  await written
  void server.writable.getWriter().write(bytes)
  expect(await client.readable.getReader().read()).toEqual({
    done: false,
    value: { type: 'binary', data: bytes },
  })
})

it('a pair of streams that brings no frames', async () => {
  const [up, down] = [new TransformStream(), new TransformStream()]
  const server = overStreams({ readable: up.readable, writable: down.writable }, 'server')
  const written = up.writable.getWriter().write(hex('ff'))
  await expect(server.readable.getReader().read()).rejects.toMatchObject({ closeCode: 1002 })
  expect((await down.readable.getReader().read()).value).toEqual(hex('88 02 03 ea'))
  await written
})
