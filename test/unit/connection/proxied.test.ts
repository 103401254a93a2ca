import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { App } from '../../../src/app.js'
import { ClientCounts } from '../../../src/client-counts.js'
import { ClientRates } from '../../../src/client-rates.js'
import { type HandshakeCode, refusalIndex } from '../../../src/handshake/refusals.js'
import { Counter } from '../../../src/ledger.js'
import { text } from '../../support/frames.js'
import { framesOf, MemoryShard, turnEnd } from '../../support/memory-shard.js'
import { proxyV2 } from '../../support/proxy-header.js'
import { head } from '../handshake/opening.js'

const HEADER = proxyV2(0x21, 0x11, '203.0.113.7', '192.0.2.1', 5000, 443)
/** The address of a MemoryTransport. */
const PEER = '192.0.2.1'

function setUp(options: object = {}): { shard: MemoryShard; seen: string[] } {
  const seen: string[] = []
  const app: App<unknown> = {
    upgrade: ({ remoteAddress, remotePort }) => void seen.push(`${remoteAddress} ${remotePort}`),
    message: (socket, data) => void socket.send(data),
  }
  const shard = new MemoryShard(app, { trustProxy: [PEER], ...options })
  return { shard, seen }
}

const upgrade = (...add: string[]): Buffer => Buffer.from(head({ add }))
const status = (sent: Buffer): number => Number(sent.toString('latin1', 9, 12))

describe('an opening behind a PROXY header', () => {
  const options = { proxyProtocol: true }

  it('knows the client, in any split, and loses no byte', async () => {
    const bytes = Buffer.concat([HEADER, upgrade(), text('hello')])
    for (const size of [bytes.length, 1, 3, HEADER.length, HEADER.length + 1]) {
      const { shard, seen } = setUp(options)
      const { transport } = shard.accept()
      transport.feed(bytes, size)
      await turnEnd()
      expect(seen).toEqual(['203.0.113.7 5000'])
      const sent = transport.takeSent()
      expect(status(sent)).toBe(101)
      expect(sent.subarray(sent.indexOf('\r\n\r\n') + 4).toString('latin1')).toContain('hello')
      expect(shard.counter('BYTES_IN')).toBe(bytes.length)
    }
  })

  it('is cut without a response when it is wrong, late, incomplete, or from who is not trusted', () => {
    const cut = (act: (shard: MemoryShard) => ReturnType<MemoryShard['accept']>, more = {}) => {
      const { shard, seen } = setUp({ ...options, ...more })
      const { transport } = act(shard)
      transport.pump()
      expect(transport.isClosed).toBe(true)
      expect(transport.sent.length).toBe(0)
      expect(seen).toEqual([])
      expect(shard.environment.openings.size).toBe(0)
      return shard
    }
    const feed = (bytes: Buffer) => (shard: MemoryShard) => {
      const accepted = shard.accept()
      accepted.transport.feed(bytes)
      return accepted
    }
    const reason = (shard: MemoryShard, code: HandshakeCode) =>
      shard.environment.counters[Counter.REFUSALS + refusalIndex(code)]
    const headless = cut(feed(upgrade()))
    expect([headless.counter('REFUSED'), reason(headless, 'ERR_HANDSHAKE_PROXY')]).toEqual([1, 1])
    const late = (shard: MemoryShard) => {
      const accepted = feed(HEADER.subarray(0, 20))(shard)
      shard.pass(9900)
      expect(accepted.transport.isDestroyed).toBe(false)
      shard.pass(300)
      return accepted
    }
    expect(reason(cut(late), 'ERR_HANDSHAKE_TIMEOUT')).toBe(1)
    cut(shard => {
      const accepted = feed(HEADER.subarray(0, 20))(shard)
      accepted.transport.feedEnd()
      return accepted
    })
    const stranger = cut(feed(Buffer.concat([HEADER, upgrade()])), { trustProxy: ['192.0.2.2'] })
    expect([stranger.counter('REFUSED'), reason(stranger, 'ERR_HANDSHAKE_PROXY')]).toEqual([1, 1])
  })

  it('is timed as one with the request', async () => {
    const { shard } = setUp(options)
    const { transport } = shard.accept()
    transport.feed(HEADER)
    shard.pass(9000)
    transport.feed(upgrade().subarray(0, 20))
    shard.pass(1200)
    await turnEnd()
    expect(status(transport.takeSent())).toBe(408)
  })
})

describe('a header of a trusted proxy', () => {
  it.each([
    [{}, ['X-Forwarded-For: 203.0.113.7'], '203.0.113.7 0'],
    [{}, ['X-Forwarded-For: 198.51.100.1', 'X-Forwarded-For: 203.0.113.7:80'], '203.0.113.7 80'],
    [{}, ['Forwarded: for=203.0.113.7'], `${PEER} 4242`],
    [{}, [], `${PEER} 4242`],
    [{ trustProxyHeader: 'forwarded' }, ['Forwarded: for=203.0.113.7'], '203.0.113.7 0'],
    [{ trustProxyHeader: 'forwarded' }, ['X-Forwarded-For: 203.0.113.7'], `${PEER} 4242`],
    [{ trustProxyHeader: 'none' }, ['X-Forwarded-For: 203.0.113.7'], `${PEER} 4242`],
    [{ trustProxy: [] }, ['X-Forwarded-For: 203.0.113.7'], `${PEER} 4242`],
    [{ trustProxy: ['192.0.2.2'] }, ['X-Forwarded-For: nonsense'], `${PEER} 4242`],
    [{ trustProxy: ['192.0.2.2'], trustProxyHeader: 'forwarded' }, ['Forwarded: for="'], `${PEER} 4242`],
  ])('%j: %j is %s', async (options, lines, client) => {
    const { shard, seen } = setUp(options)
    const { transport } = shard.accept()
    transport.feed(upgrade(...lines))
    await turnEnd()
    expect(seen).toEqual([client])
  })

  it('that can’t be read is 400, before the application is asked', async () => {
    const { shard, seen } = setUp()
    const { transport } = shard.accept()
    transport.feed(upgrade('X-Forwarded-For: nonsense'))
    await turnEnd()
    expect([status(transport.takeSent()), seen]).toEqual([400, []])
  })
})

describe('a connection that HTTP gives back', () => {
  it('is opened as others are, with what a PROXY header has said, and frames that were read', async () => {
    const { shard, seen } = setUp({ proxyProtocol: true })
    const { transport } = shard.accept()
    transport.feed(Buffer.concat([HEADER, Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')]))
    const [stream] = shard.http as unknown as { remoteAddress: string; remotePort: number }[]
    expect([stream.remoteAddress, stream.remotePort]).toEqual(['203.0.113.7', 5000])
    await once(shard.http[0], 'data')
    const big = 'x'.repeat(700_000)
    // What the stream has read itself comes last.
    transport.detached?.write(text('last'))
    shard.visits[0].end(Buffer.concat([upgrade(), text('first'), text(big)]))
    const taken = transport.reattached
    await turnEnd()
    const sent = taken?.takeSent() as Buffer
    expect(status(sent)).toBe(101)
    const bodies = sent.subarray(sent.indexOf('\r\n\r\n') + 4).toString('latin1')
    expect([bodies.includes('first'), bodies.includes(big), bodies.endsWith('last')]).toEqual([
      true,
      true,
      true,
    ])
    expect(seen).toEqual(['203.0.113.7 5000'])
    taken?.feed(text('more'))
    await turnEnd()
    expect(framesOf(taken as NonNullable<typeof taken>)).toEqual(['text more'])
  })

  it('has the time of a handshake, and the rules of one', async () => {
    const { shard } = setUp()
    const { transport } = shard.accept()
    transport.feed(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n'))
    shard.visits[0].end(Buffer.from('CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n'))
    await turnEnd()
    expect(status(transport.reattached?.takeSent() as Buffer)).toBe(405)
    shard.pass(6000)
    expect(transport.reattached?.isDestroyed).toBe(true)
  })
})

describe('a client that a proxy names', () => {
  const proxied = (proxyProtocol: boolean, clients?: ClientCounts, rates?: ClientRates): MemoryShard =>
    new MemoryShard({}, { trustProxy: [PEER], proxyProtocol }, 8, clients, rates)
  let admission = 0
  const ask = async (shard: MemoryShard, ...pieces: Buffer[]): Promise<number> => {
    const { transport } = shard.accept()
    transport.admission = admission++
    transport.feed(Buffer.concat(pieces))
    await turnEnd()
    return transport.detached === undefined ? status(transport.takeSent()) : 200
  }
  const http = Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n')

  it('in a PROXY header has its limits for plain HTTP as well', async () => {
    const shard = proxied(true, ClientCounts.create(2, 100, 1))
    expect([await ask(shard, HEADER, http), await ask(shard, HEADER, upgrade())]).toEqual([200, 101])
    expect([await ask(shard, HEADER, http), await ask(shard, HEADER, upgrade())]).toEqual([429, 429])
    const fast = proxied(true, undefined, ClientRates.create(1, 1))
    for (let i = 0; i < 10; i++) expect(await ask(fast, HEADER, http)).toBe(200)
    expect([await ask(fast, HEADER, http), await ask(fast, HEADER, upgrade())]).toEqual([429, 429])
    expect(fast.counter('REFUSED')).toBe(2)
  })

  it('is not the proxy before the proxy, which brings many', async () => {
    const shard = proxied(true, ClientCounts.create(1, 100, 1), ClientRates.create(1, 1))
    const own = proxyV2(0x21, 0x11, PEER, PEER, 5000, 443)
    for (let i = 0; i < 15; i++) expect(await ask(shard, own, http)).toBe(200)
    for (let i = 0; i < 5; i++) {
      expect(await ask(shard, own, upgrade('X-Forwarded-For: unknown'))).toBe(101)
    }
  })

  it('in a header of the request only where that is for WebSocket', async () => {
    const shard = proxied(false, ClientCounts.create(1, 100, 1))
    const asked = upgrade('X-Forwarded-For: 203.0.113.7')
    expect(await ask(shard, asked)).toBe(101)
    expect([await ask(shard, http), await ask(shard, asked)]).toEqual([200, 429])
  })

  it('counts once, however often its connection comes back from HTTP', async () => {
    const shard = proxied(true, ClientCounts.create(1, 100, 1))
    const { transport } = shard.accept()
    transport.feed(Buffer.concat([HEADER, http]))
    shard.visits[0].end(upgrade())
    await turnEnd()
    expect(status(transport.reattached?.takeSent() as Buffer)).toBe(101)
  })
})
