import { once } from 'node:events'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import type { Transport, TransportOwner } from '../../../src/connection/transport.js'
import { openHandle, takeHandle } from '../../../src/tcp-handle.js'
import { type Accepted, KINDS, TransportServer } from '../../support/socket-pair.js'
import { until } from '../../support/until.js'

const ARENA = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer)

/** Writes down what a transport tells. */
class Owner implements TransportOwner {
  readonly events: string[] = []
  onReceive: (bytes: Buffer) => void = () => {}

  receive(length: number): void {
    const bytes = Buffer.from(ARENA.subarray(0, length))
    ARENA.fill(0xee, 0, length)
    this.events.push(bytes.toString('latin1'))
    this.onReceive(bytes)
  }

  receiveEnd(): void {
    this.events.push('<FIN>')
  }

  written(): void {
    this.events.push('<written>')
  }

  closed(): void {
    this.events.push('<closed>')
  }

  get text(): string {
    return this.events.join('')
  }
}

let server: TransportServer | undefined

afterEach(() => server?.close())

describe.each(KINDS.map(Kind => ({ Kind, name: Kind.name })))('$name', ({ Kind }) => {
  async function connect(): Promise<{ owner: Owner; transport: Accepted['transport']; client: Socket }> {
    if (server === undefined) {
      server = new TransportServer(ARENA, transport => transport?.owner ?? new Owner(), Kind)
      await server.listen()
    }
    const { client, transport } = await server.connect()
    const owner = transport.owner as Owner
    return { owner, transport, client }
  }

  afterEach(() => {
    server = undefined
  })

  function gather(client: Duplex): () => string {
    let seen = ''
    client.on('data', (chunk: Buffer) => {
      seen += chunk.toString('latin1')
    })
    return () => seen
  }

  describe('SocketTransport', () => {
    it('reads into the arena that all sockets share', async () => {
      const [one, two] = [await connect(), await connect()]
      one.client.write('for one')
      two.client.write('for two')
      await until('both', () => one.owner.text.length === 7 && two.owner.text.length === 7)
      expect([one.owner.text, two.owner.text]).toEqual(['for one', 'for two'])
      expect(one.transport.remoteAddress).toBe('127.0.0.1')
      expect(one.transport.remotePort).toBe(one.client.localPort)
    })

    it('writes at once, and says how much the kernel took', async () => {
      const { transport, client } = await connect()
      const seen = gather(client)
      const bytes = Buffer.from('..hello..')
      expect(transport.writeNow(bytes, 2, 7)).toBe(5)
      expect(transport.writePartsNow([Buffer.from(' gathered'), Buffer.from(' write')])).toBe(15)
      await until('it', () => seen() === 'hello gathered write')
    })

    it('takes what the kernel does not, tells when it is written, and loses nothing', async () => {
      const { owner, transport, client } = await connect()
      client.pause()
      const bytes = Buffer.alloc(1 << 20, 'abc')
      let sent = 0
      for (let taken = bytes.length; taken === bytes.length; sent += taken) {
        taken = transport.writeNow(bytes, 0, bytes.length)
      }
      expect(transport.writeNow(bytes, 0, bytes.length)).toBe(0)
      expect(transport.writePartsNow([bytes, bytes])).toBe(0)
      transport.writeLater(bytes)
      sent += bytes.length
      expect(owner.events).toEqual([])
      let received = 0
      client.on('data', (chunk: Buffer) => {
        received += chunk.length
      })
      client.resume()
      await until('all of it', () => received === sent)
      await until('to be told', () => owner.events.length === 1)
      expect(owner.events).toEqual(['<written>'])
      expect(transport.writeNow(bytes, 0, 10)).toBe(10)
    })

    it('reads nothing while it is paused, and everything afterwards', async () => {
      const { owner, transport, client } = await connect()
      owner.onReceive = () => transport.pause()
      const seen = gather(client)
      client.write('x')
      await until('the first', () => owner.events.length === 1)
      client.write('y'.repeat(200_000))
      client.end()
      // What the client gets later than this was read later than what it sent.
      const { owner: other, client: clock } = await connect()
      clock.write('tick')
      await until('the clock', () => other.text === 'tick')
      expect(owner.events).toEqual(['x'])
      owner.onReceive = () => {}
      transport.resume()
      await until('all', () => owner.text.endsWith('<FIN>'))
      expect(owner.text).toBe(`x${'y'.repeat(200_000)}<FIN>`)
      expect(seen()).toBe('')
    })

    it('goes on reading after its FIN, and closes at the peer’s', async () => {
      const { owner, transport, client } = await connect()
      const ended = once(client, 'end')
      client.resume()
      transport.writeNow(Buffer.from('bye'), 0, 3)
      transport.end()
      transport.end()
      await ended
      client.write('still here')
      await until('it', () => owner.text === 'still here')
      client.end()
      await until('the end', () => owner.events.at(-1) === '<closed>')
      expect(owner.text).toBe('still here<FIN><closed>')
      expect(server?.ended).toEqual([transport.admission])
    })

    it('goes on writing after the peer’s FIN', async () => {
      const { owner, transport, client } = await connect()
      const seen = gather(client)
      client.end('question')
      await until('FIN', () => owner.text === 'question<FIN>')
      transport.writeNow(Buffer.from('answer'), 0, 6)
      transport.end()
      await until('the end', () => owner.events.at(-1) === '<closed>')
      await until('the answer', () => seen().length === 6)
      expect(seen()).toBe('answer')
    })

    it.each([1, 2])('goes on after %d reads that fill the arena to its last byte', async reads => {
      const { owner, transport, client } = await connect()
      transport.pause()
      // All of it is in the kernel before the first byte is read, and nothing more comes: the read after the last
      // full one finds nothing.
      const bytes = Buffer.alloc(ARENA.length * reads, 'x')
      await new Promise(resolve => client.write(bytes, resolve))
      transport.resume()
      await until('the bytes', () => owner.text.length === bytes.length)
      client.write('more')
      await until('what follows', () => owner.events.at(-1) === 'more')
      client.end()
      await until('FIN', () => owner.events.at(-1) === '<FIN>')
      expect(owner.text).toBe(`${String(bytes)}more<FIN>`)
      transport.destroy()
    })

    it('finds FIN right after a read that filled the arena', async () => {
      const { owner, transport, client } = await connect()
      transport.pause()
      await new Promise<void>(resolve => client.end(Buffer.alloc(ARENA.length, 'x'), () => resolve()))
      transport.resume()
      await until('FIN', () => owner.events.at(-1) === '<FIN>')
      expect(owner.text).toBe(`${'x'.repeat(ARENA.length)}<FIN>`)
      transport.destroy()
    })

    it('knows whether there is a peer, also when nothing is read', async () => {
      const { transport, client } = await connect()
      transport.pause()
      expect(transport.isConnected()).toBe(true)
      client.resetAndDestroy()
      await until('the reset', () => !transport.isConnected())
      transport.destroy()
    })

    it('remembers who the peer was', async () => {
      const { owner, transport, client } = await connect()
      const { localPort } = client
      expect([transport.remoteAddress, transport.remotePort]).toEqual(['127.0.0.1', localPort])
      transport.destroy()
      await until('the end', () => owner.events.at(-1) === '<closed>')
      expect([transport.remoteAddress, transport.remotePort]).toEqual(['127.0.0.1', localPort])
    })

    it('tells a reset as an end, once', async () => {
      const { owner, client } = await connect()
      client.write('x')
      await until('it', () => owner.text === 'x')
      client.resetAndDestroy()
      await until('the end', () => owner.events.includes('<closed>'))
      expect(owner.text).toBe('x<closed>')
      expect(server?.ended).toHaveLength(1)
    })

    it('writes nothing and throws nothing once it is destroyed', async () => {
      const { owner, transport } = await connect()
      transport.destroy()
      const bytes = Buffer.from('late')
      for (const moment of ['at once', 'later']) {
        expect(transport.writeNow(bytes, 0, 4), moment).toBe(0)
        expect(transport.writePartsNow([bytes])).toBe(0)
        transport.writeLater(bytes)
        transport.pause()
        transport.resume()
        transport.end()
        transport.destroy()
        await until('the end', () => owner.events.length > 0)
      }
      expect(owner.events).toEqual(['<closed>'])
    })

    it('ends when a write meets a reset that nobody has read yet', async () => {
      const { owner, transport, client } = await connect()
      transport.pause()
      client.resetAndDestroy()
      const bytes = Buffer.alloc(1000)
      await until('the error', () => transport.writeNow(bytes, 0, 1000) === 0)
      await until('the end', () => owner.events.length > 0)
      expect(owner.events).toEqual(['<closed>'])
    })

    it('refuses a descriptor that is no socket, and a handle that is gone', async () => {
      const { transport } = await connect()
      // Also after one that is a socket: then the class of its handle is known.
      const other = await connect()
      other.transport.destroy()
      const file = openSync('/dev/null', 'r')
      for (const wrong of [123_456, file]) {
        expect(() => openHandle(wrong)).toThrow(/EBADF|EINVAL|EEXIST|Unsupported fd/i)
      }
      expect(fstatSync(file).isCharacterDevice()).toBe(true)
      closeSync(file)
      const shell = { _handle: null } as unknown as Socket
      expect(() => takeHandle(shell)).toThrow('the socket has ended')
      transport.destroy()
    })
  })

  describe('a transport that is given up', () => {
    it('is a stream of everything that came and comes', async () => {
      const { owner, transport, client } = await connect()
      const received = gather(client)
      let seen = ''
      let ended = false
      owner.onReceive = bytes => {
        const stream = transport.detach(bytes)
        stream.on('data', (chunk: Buffer) => {
          seen += chunk.toString('latin1')
          stream.write(`${chunk.length};`)
        })
        stream.on('end', () => {
          ended = true
          stream.end('bye')
        })
      }
      client.write('first;')
      await until('the first', () => seen === 'first;')
      client.write('second;')
      await until('the second', () => seen === 'first;second;')
      client.end('z'.repeat(300_000))
      await until('the end', () => ended && received().endsWith('bye'))
      expect(seen).toBe(`first;second;${'z'.repeat(300_000)}`)
      expect(owner.events).toEqual(['first;'])
      await until('its admission to be given back', () => server?.ended.length === 1)
    })

    it('keeps what it read apart from what other sockets read into the arena', async () => {
      const [given, other] = [await connect(), await connect()]
      let stream: Duplex | undefined
      given.owner.onReceive = bytes => {
        stream = given.transport.detach(bytes)
      }
      given.client.write('one;')
      await until('the stream', () => stream !== undefined)
      given.client.write('two;')
      await until('it', () => (stream as Duplex).readableLength === 8)
      other.client.write('XXXXXXXXXXXX')
      await until('the other', () => other.owner.text.length === 12)
      expect(String(stream?.read())).toBe('one;two;')
    })

    it('can be taken back, again and again', async () => {
      const { owner, transport, client } = await connect()
      const seen = gather(client)
      let current = transport as Transport
      for (let round = 0; round < 3; round++) {
        let stream: Duplex | undefined
        owner.onReceive = bytes => {
          stream = current.detach(bytes)
        }
        client.write('out;')
        await until('the stream', () => stream !== undefined)
        const given = stream as Duplex
        await until('it', () => given.readableLength === 4)
        expect(String(given.read())).toBe('out;')
        given.write('from the stream;')
        await until('nothing to be left', () => given.writableLength === 0)
        owner.onReceive = () => {}
        current = current.reattach(given, owner)
        const before = owner.events.length
        const big = 'x'.repeat(200_000)
        client.write(big)
        await until('all of it', () => owner.events.slice(before).join('') === big)
        current.writeNow(Buffer.from('from the transport;'), 0, 19)
        expect(server?.ended).toEqual([])
      }
      await until('both', () => seen() === 'from the stream;from the transport;'.repeat(3))
      expect(current.remoteAddress).toBe('127.0.0.1')
      client.end()
      await until('FIN', () => owner.events.at(-1) === '<FIN>')
      current.end()
      await until('the end', () => owner.events.at(-1) === '<closed>')
      expect(server?.ended).toEqual([transport.admission])
    })

    it('serves HTTP: bodies in pieces, keep-alive, and an application that takes the socket', async () => {
      const http = createHttpServer((request, response) => {
        let length = 0
        request.on('data', (chunk: Buffer) => {
          length += chunk.length
        })
        request.on('end', () => response.end(`${request.url} ${length}\n`))
        // Whoever listens to the socket itself makes the parser read from the stream.
        if (request.url === '/take') request.socket.on('data', () => {})
      })
      const { owner, transport, client } = await connect()
      const seen = gather(client)
      owner.onReceive = bytes => http.emit('connection', transport.detach(bytes))
      client.write('POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc')
      client.write('d'.repeat(50_000))
      await until('the first read', () => owner.events.length === 1)
      client.write('e'.repeat(49_997))
      await until('the first answer', () => seen().endsWith('/a 100000\n'))
      client.write('GET /take HTTP/1.1\r\nHost: x\r\n\r\n')
      await until('the second answer', () => seen().endsWith('/take 0\n'))
      client.write('POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n')
      client.write('1234')
      await until('the third answer', () => seen().endsWith('/b 4\n'))
      expect(seen().match(/HTTP\/1.1 200 OK/g)).toHaveLength(3)
      http.closeAllConnections()
    })
  })
})
