// TLS as a transport: over real sockets, with Node's own client at the other end.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TlsTransport } from '../../../src/connection/tls-transport.js'
import type { TransportOwner } from '../../../src/connection/transport.js'
import { Ledger } from '../../../src/ledger.js'
import { readTls } from '../../../src/primary/tls-reader.js'
import { TlsTransports } from '../../../src/shard/tls-transports.js'
import { type TcpHandle, takeHandle } from '../../../src/tcp-handle.js'
import { Authority } from '../../support/certificates.js'
import { Random } from '../../support/random.js'
import { soon, until } from '../../support/until.js'

/** Shorter than a record of TLS, so that chunks are cut. */
const ARENA = new Uint8Array(1000)

let authority: Authority
let transports: TlsTransports
let listener: Server
let client: TLSSocket
let transport: TlsTransport
let handle: TcpHandle
let admission = 0
/** Admission numbers of those that have ended. */
const ended = new Set<number>()

/** Keeps what comes; tests change what they want to hear of. */
class Owner implements TransportOwner {
  received = Buffer.alloc(0)
  longest = 0
  onReceive: () => void = () => {}
  onWritten: () => void = () => {}
  isEnded = false
  isClosed = false

  receive(length: number): void {
    this.longest = Math.max(this.longest, length)
    this.received = Buffer.concat([this.received, ARENA.subarray(0, length)])
    ARENA.fill(0xee)
    this.onReceive()
  }

  receiveEnd(): void {
    this.isEnded = true
  }

  written(): void {
    this.onWritten()
  }

  closed(): void {
    this.isClosed = true
  }
}

let owner: Owner

beforeAll(async () => {
  authority = await Authority.create()
  const { key, cert } = authority.server('localhost', 'localhost')
  transports = new TlsTransports(readTls({ key, cert }), {
    arena: ARENA,
    registry: { ended: number => void ended.add(number) },
    counters: new Ledger().counters,
    handshakeTimeoutMs: 10_000,
    proxyProtocol: false,
    log: () => {},
  })
})

afterAll(() => authority.remove())

beforeEach(async () => {
  owner = new Owner()
  admission++
  listener = createServer({ pauseOnConnect: true }, socket => {
    handle = takeHandle(socket)
    transport = transports.create({ handle }, owner, admission) as TlsTransport
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  client = connect({ port, host: '127.0.0.1', ca: authority.root.cert })
  client.on('error', () => {})
  await soon('TLS is there', once(client, 'secureConnect'))
  await until('at both ends', () => transport.tls !== undefined)
})

afterEach(() => {
  client.destroy()
  transport.destroy()
  listener.close()
})

const message = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251))

describe('reading', () => {
  test('chunks longer than the arena come in parts, whole and in order', async () => {
    client.write(message)
    await until('all is there', () => owner.received.length === message.length)
    expect(owner.received.equals(message)).toBe(true)
    expect(owner.longest).toBe(ARENA.length)
  })

  test('nothing comes while it is paused, not even the rest of a chunk', async () => {
    let calls = 0
    owner.onReceive = () => {
      calls++
      transport.pause()
      setImmediate(() => {
        expect(calls).toBe(1)
        calls = 0
        transport.resume()
      })
    }
    client.end(message)
    await until('all is there', () => owner.isEnded)
    expect(owner.received.equals(message)).toBe(true)
  })

  test('nothing comes after destroy', async () => {
    owner.onReceive = () => transport.destroy()
    client.write(message)
    await until('it is closed', () => owner.isClosed)
    expect(owner.received.length).toBe(ARENA.length)
    expect(ended.has(admission)).toBe(true)
  })

  test('detach, in the midst of a chunk, gives a stream of all that was not received', async () => {
    let stream: Duplex | undefined
    const chunks: Buffer[] = []
    owner.onReceive = () => {
      stream = transport.detach(owner.received.subarray(10))
      stream.on('data', chunk => chunks.push(chunk as Buffer))
    }
    client.write(message)
    await until('all is there', () => Buffer.concat(chunks).length === message.length - 10)
    stream?.destroy()
    await until('it is over', () => ended.has(admission))
    expect(owner.isClosed).toBe(false)
  })
})

describe('writing', () => {
  test('counts as taken what the kernel has taken, not what TLS keeps', async () => {
    client.pause()
    let taken = 0
    let refused = false
    while (!refused) {
      const length = transport.writeNow(message, 0, 50_000)
      taken += length
      refused = length === 0
      if (!refused) expect(handle.writeQueueSize).toBe(0)
      // As long as TLS is not done with it nothing more is accepted.
      expect(transport.writeNow(message, 0, 10)).toBe(0)
      if (!refused) await turn()
    }
    expect(taken).toBeGreaterThan(0)
    expect(handle.writeQueueSize).toBeGreaterThan(0)
  })

  test('offers are cut, so that what waits is not in memory twice', () => {
    expect(transport.writeNow(Buffer.alloc(1_000_000), 0, 1_000_000)).toBe(65_536)
  })

  test('keeps no reference to the bytes', async () => {
    const bytes = Buffer.from('hello')
    expect(transport.writeNow(bytes, 0, 5)).toBe(5)
    bytes.fill(0)
    const [chunk] = (await soon('the client reads', once(client, 'data'))) as [Buffer]
    expect(chunk.toString()).toBe('hello')
  })

  test('however it is offered, to a client that reads by fits and starts, each byte arrives once', async () => {
    const random = new Random()
    const dice = (below: number): number => random.integer(0, below)
    const total = 30_000_000
    const made = Buffer.alloc(total)
    for (let i = 0; i < total; i++) made[i] = (i * 7 + (i >> 8)) % 253
    let sent = 0
    let received = 0
    let wrong = -1
    client.on('data', chunk => {
      if (wrong < 0 && !chunk.equals(made.subarray(received, received + chunk.length))) wrong = received
      received += chunk.length
      // Until the transport has waited for it.
      if (sent < total && dice(20) === 0) client.pause()
    })
    const ways = new Set<string>()
    while (sent < total) {
      const end = Math.min(total, sent + 1 + dice(200_000))
      const middle = sent + dice(end - sent)
      const isOne = dice(2) === 0
      const taken = isOne
        ? transport.writeNow(made, sent, end)
        : transport.writePartsNow([made.subarray(sent, middle), made.subarray(middle, end)])
      ways.add(taken === 0 ? 'none' : taken === end - sent ? 'all' : 'some')
      sent += taken
      if (sent < end) {
        // As an outbox does: a piece of what was refused, short or long.
        const piece = made.subarray(sent, Math.min(end, sent + 1 + dice(dice(2) === 0 ? 100 : 65_536)))
        const written = new Promise<void>(resolve => {
          owner.onWritten = resolve
        })
        transport.writeLater(piece)
        const wake = setInterval(() => client.resume(), 5)
        await soon('it is written', written)
        clearInterval(wake)
        sent += piece.length
      } else await turn()
    }
    client.resume()
    transport.end()
    await soon('the client has all', once(client, 'end'))
    expect({ wrong, received }, `seed ${random.seed}`).toEqual({ wrong: -1, received: total })
    expect(ways).toEqual(new Set(['all', 'some', 'none']))
  })

  test('to a connection that has ended: nothing is taken, nothing throws', async () => {
    transport.destroy()
    expect(transport.writeNow(message, 0, 5)).toBe(0)
    expect(transport.writePartsNow([message])).toBe(0)
    transport.writeLater(message)
    transport.end()
    await until('it is closed', () => owner.isClosed)
    expect(transport.isConnected()).toBe(false)
  })

  function turn(): Promise<void> {
    return new Promise(resolve => {
      setImmediate(() => setImmediate(resolve))
    })
  }
})
