import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Connection } from '../../../src/connection/connection.js'
import { Opening } from '../../../src/connection/opening.js'
import { text } from '../../support/frames.js'
import { MemoryShard, type TestApp } from '../../support/memory-shard.js'
import { TransportServer } from '../../support/socket-pair.js'
import { soon, until } from '../../support/until.js'
import { head } from '../handshake/opening.js'

/*
 * Frames go to the descriptor directly. Its number is somebody else's as soon as the socket is closed, which may
 * happen between the call of send() and the end of the turn: whoever writes to a number that was kept writes into the
 * connection of a stranger. Here the kernel gives the number to another connection at exactly that moment.
 */

const SECRET = 'for nobody else'
const fillers: number[] = []
let server: TransportServer | undefined

afterEach(() => {
  server?.close()
  for (const fd of fillers.splice(0)) closeSync(fd)
})

/** A shard on real sockets. */
async function serve(app: TestApp): Promise<{ shard: MemoryShard; server: TransportServer }> {
  const shard = new MemoryShard(app)
  const made = new TransportServer(shard.codec.readArena, transport => {
    const opening = new Opening(shard.environment)
    if (transport !== undefined) opening.begin(transport)
    return opening
  })
  await made.listen()
  server = made
  return { shard, server: made }
}

/** Opens a WebSocket; the client's bytes are gathered from here on. */
async function open(from: TransportServer): Promise<{ client: Socket; fd: number; received: () => string }> {
  const { client, fd } = await from.connect()
  const received = gather(client)
  client.write(head())
  await until('the response', () => received().includes('\r\n\r\n'))
  return { client, fd, received }
}

function gather(client: Socket): () => string {
  let bytes = Buffer.alloc(0)
  client.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
  })
  return () => bytes.toString('latin1')
}

/** Takes every number below `fd`, so that it is the lowest when it becomes free: that is the one that is given out. */
function takeLowerNumbers(fd: number): void {
  for (;;) {
    const filler = openSync('/dev/null', 'r')
    if (filler > fd) return closeSync(filler)
    fillers.push(filler)
  }
}

describe.skipIf(process.platform === 'win32')('a descriptor that is somebody else’s by now', () => {
  const large = Buffer.alloc(100_000, SECRET)
  const sends: [name: string, (connection: Connection) => void][] = [
    ['a short message', connection => void connection.send(SECRET)],
    ['several, and a Ping', connection => void [connection.send(SECRET), connection.ping(SECRET)]],
    ['a large message, which does not wait for the turn', connection => void connection.send(large)],
  ]

  // A large one leaves before terminate() is called, as it should.
  it.each(sends.slice(0, 2))('is not written to after terminate(): %s', async (_, send) => {
    const { shard, server: from } = await serve({
      message: socket => {
        send(socket as Connection)
        socket.terminate()
      },
    })
    const first = await open(from)
    takeLowerNumbers(first.fd)
    // Both are ready when the event loop looks next: first the message, then the stranger at the door.
    first.client.write(text('go'))
    const stranger = from.knock()
    const received = gather(stranger)
    await soon('the stranger', once(stranger, 'connect'))
    await until('its accept', () => from.accepted.length === 2)
    expect(from.accepted[1].fd, 'the number was not given out again').toBe(first.fd)
    stranger.write(head())
    await until('the response', () => received().includes('\r\n\r\n'))
    stranger.write(text('go'))
    await until('the end', () => from.ended.length === 2)
    expect(received()).toMatch(/^HTTP\/1.1 101 /)
    expect(received()).not.toContain(SECRET)
    expect(first.received()).not.toContain(SECRET)
    expect(shard.environment.connections.size).toBe(0)
  })

  it.each(sends)('is not written to after a reset not told of yet: %s', async (_, send) => {
    const victims: Connection[] = []
    const { shard, server: from } = await serve({
      open: socket => void victims.push(socket as Connection),
      message: () => send(victims[0]),
    })
    const victim = await open(from)
    const sender = await open(from)
    takeLowerNumbers(victim.fd)
    // In one turn: the reset, the stranger, and a message whose handler sends to the victim.
    victim.client.resetAndDestroy()
    const stranger = from.knock()
    const received = gather(stranger)
    // Node connects at the end of the present tick; the event loop does not look before that.
    await new Promise(resolve => {
      process.nextTick(resolve)
    })
    sender.client.write(text('go'))
    await soon('the stranger', once(stranger, 'connect'))
    await until('its accept', () => from.accepted.length === 3)
    expect(from.accepted[2].fd, 'the number was not given out again').toBe(victim.fd)
    await until('the message', () => shard.counter('MESSAGES_IN') === 1)
    stranger.write(head())
    await until('the response', () => received().includes('\r\n\r\n'))
    await until('the end of the victim', () => from.ended.includes(0))
    expect(received()).toMatch(/^HTTP\/1.1 101 /)
    expect(received()).not.toContain(SECRET)
    // The stranger is served as if nothing had been.
    victims[0] = victims[2]
    sender.client.write(text('go'))
    await until('its message', () => received().includes(SECRET))
  })
})
