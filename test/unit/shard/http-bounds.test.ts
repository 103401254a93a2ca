import { describe, expect, it } from 'vitest'
import { AddressSet } from '../../../src/address.js'
import type { App } from '../../../src/app.js'
import { ClientCounts } from '../../../src/client-counts.js'
import { HttpClients } from '../../../src/connection/http-clients.js'
import { type Board, Counter, LIMITS } from '../../../src/ledger.js'
import type { HttpOptions } from '../../../src/shard/http.js'
import { RawClient } from '../../raw-client.js'
import { requestHead, serveHttp } from '../../support/shard-http.js'
import { until } from '../../support/until.js'

describe('the bounds of HTTP', () => {
  const refused = (board: Board) => board.shards[0][Counter.HTTP_REFUSED]
  const second = async (bounds: Partial<HttpOptions>, bytes: string, app: App<unknown> = {}) => {
    const { port, board } = await serveHttp(app, undefined, bounds)
    const client = await RawClient.connect(port)
    await client.ask(requestHead('GET /healthz HTTP/1.1'), app.http === undefined ? '\nok\n' : 'mine')
    const before = client.received.length
    client.send(bytes)
    await client.closed
    return { answer: client.received.slice(before), refused: refused(board) }
  }

  it.each([
    ['a head that is too long', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(2000)}\r\n\r\n`, 431],
    ['a head without an end', `GET /${'x'.repeat(3000)}`, 431],
    ['too many lines', requestHead('GET / HTTP/1.1', ...Array<string>(20).fill('a: b')), 431],
    ['what is no HTTP', 'nonsense\r\n\r\n', 400],
    ['half a head that takes too long', 'GET / HTTP/1.1\r\nHost: x\r\n', 408],
  ])('%s, as a second request', async (_, bytes, status) => {
    const bounds = { maxHeaderBytes: 1000, maxHeaderLines: 20, handshakeTimeoutMs: 200 }
    const result = await second(bounds, bytes)
    expect(result.answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(result.refused).toBe(1)
  })

  it.each([
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 1],
    ['an expectation that nobody meets', requestHead('GET / HTTP/1.1', 'Expect: zzz'), 417, 0],
  ])('%s, as the last request that may come', async (_, bytes, status, times) => {
    const bounds = { maxHttpRequests: 2 }
    const result = await second(bounds, bytes)
    expect(result.answer).toMatch(new RegExp(`^HTTP/1.1 ${status} .*\r\nConnection: close\r\n`, 's'))
    expect(result.refused).toBe(times)
  })

  it('no Host is needed in HTTP/1.0', async () => {
    const { port } = await serveHttp()
    const client = await RawClient.connect(port)
    expect(await client.ask('GET /healthz HTTP/1.0\r\n\r\n', '\nok\n')).toMatch(/^HTTP\/1.1 200 /)
    await client.closed
  })

  it('an answer that the client does not take is cut after idleTimeoutMs, one that is not given yet is not', async () => {
    const http: App<unknown>['http'] = ({ url = '' }, response) => {
      if (url === '/big') response.end(Buffer.alloc(50_000_000))
    }
    const { port, board } = await serveHttp({ http }, undefined, { idleTimeoutMs: 100 })
    const [reader, patient] = [await RawClient.connect(port), await RawClient.connect(port)]
    patient.send(requestHead('GET /later HTTP/1.1'))
    reader.pause()
    reader.send(requestHead('GET /big HTTP/1.1'))
    const [counters] = board.shards
    const cut = Counter.LIMITS + LIMITS.indexOf('idle_timeout')
    await until('the cut', () => counters[cut] === 1)
    expect(patient.isClosed).toBe(false)
    for (const client of [reader, patient]) client.destroy()
  })

  it('a time that the application sets ends a request, if it does not listen', async () => {
    const heard: string[] = []
    const http: App<unknown>['http'] = (message, response) => {
      const { url } = message
      if (url === '/socket') message.socket.setTimeout(50)
      if (url === '/request') message.setTimeout(50)
      if (url === '/response') response.setTimeout(50)
      if (url === '/heard') {
        response.setTimeout(50, () => {
          heard.push('response')
          response.end('late')
        })
      }
      if (url === '/body') {
        message.setTimeout(50, () => {
          heard.push('request')
          response.end('late')
        })
      }
    }
    const { port } = await serveHttp({ http })
    for (const url of ['/socket', '/request', '/response']) {
      const client = await RawClient.connect(port)
      client.send(requestHead(`GET ${url} HTTP/1.1`))
      await client.closed
      expect(client.received).toBe('')
    }
    for (const [url, ...headers] of [['/heard'], ['/body', 'Content-Length: 5']]) {
      const client = await RawClient.connect(port)
      await client.ask(requestHead(`POST ${url} HTTP/1.1`, ...headers), 'late')
      client.destroy()
    }
    expect(heard).toEqual(['response', 'request'])
  })

  it('as many lines as may be are taken', async () => {
    const { port } = await serveHttp({}, undefined, { maxHeaderLines: 20 })
    const client = await RawClient.connect(port)
    const answer = await client.ask(
      requestHead('GET /healthz HTTP/1.1', ...Array<string>(19).fill('a: b')),
      'ok\n',
    )
    expect(answer).toMatch(/^HTTP\/1.1 200 /)
    client.destroy()
  })

  it.each([false, true])(
    'a body that takes too long is 408, but for an answer that has begun: %s',
    async begins => {
      const http: App<unknown>['http'] = (message, response) => {
        if (message.url === '/healthz') response.end('mine')
        else if (begins) response.write('begun')
      }
      const bytes = requestHead('POST /x HTTP/1.1', 'Content-Length: 5')
      const result = await second({ httpRequestTimeoutMs: 200, httpKeepAliveMs: 1000 }, `${bytes}he`, {
        http,
      })
      expect(result.answer).toMatch(begins ? /^HTTP\/1.1 200 .*begun\r\n$/s : /^HTTP\/1.1 408 /)
      expect(result.refused).toBe(1)
    },
  )

  it('an idle connection is kept for httpKeepAliveMs', async () => {
    const { port, board } = await serveHttp({}, undefined, { httpKeepAliveMs: 50 })
    const client = await RawClient.connect(port)
    await client.ask(requestHead('GET /healthz HTTP/1.1'), '\nok\n')
    await client.closed
    const [counters] = board.shards
    expect([counters[Counter.HTTP_IDLE], counters[Counter.HTTP_REFUSED]]).toEqual([1, 0])
  })

  it.each([
    ['one after the other', false],
    ['in one segment', true],
  ])('a connection ends with the last of maxHttpRequests, %s', async (_, together) => {
    const asked: string[] = []
    const http: App<unknown>['http'] = ({ url = '' }, response) => {
      asked.push(url)
      response.end(`answer ${url}\n`)
    }
    const { port, board } = await serveHttp({ http }, undefined, { maxHttpRequests: 3 })
    const client = await RawClient.connect(port)
    const requests = [1, 2, 3, 4, 5].map(number => requestHead(`GET /${number} HTTP/1.1`))
    if (together) client.send(requests.join(''))
    else for (const number of [1, 2, 3]) await client.ask(requests[number - 1], `answer /${number}\n`)
    await client.closed
    expect(asked).toEqual(['/1', '/2', '/3'])
    const answers = client.received.split('HTTP/1.1 200 OK').slice(1)
    expect(answers.map(answer => /answer (.*)\n/.exec(answer)?.[1])).toEqual(asked)
    expect(answers.map(answer => answer.includes('Connection: close'))).toEqual([false, false, true])
    expect(board.shards[0][Counter.HTTP_SPENT]).toBe(1)
  })

  it.each([false, true])(
    'what comes behind the last of maxHttpRequests takes no memory, whether that is answered: %s',
    async answers => {
      let asked = 0
      const last: (() => void)[] = []
      const http: App<unknown>['http'] = (_, response) => {
        asked++
        if (asked < 3) response.end('mine')
        else last.push(() => response.end('last'))
      }
      const { port, board } = await serveHttp({ http }, undefined, { maxHttpRequests: 3, idleTimeoutMs: 300 })
      const client = await RawClient.connect(port)
      client.send(requestHead('GET / HTTP/1.1').repeat(20_000))
      await until('the last', () => last.length === 1)
      const [counters] = board.shards
      // Node gets a piece that some of them are in, and no other.
      await until('nothing to be read any more', () => counters[Counter.PINNED] >= 65_536)
      const before = counters[Counter.PINNED]
      for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
      expect([counters[Counter.PINNED], asked]).toEqual([before, 3])
      if (answers) last[0]()
      await client.closed
      await until('all to be forgotten', () => counters[Counter.PINNED] === 0)
      expect(asked).toBe(3)
      // Without an answer it is as long as any client that asks and does not go on.
      expect(counters[Counter.LIMITS + LIMITS.indexOf('idle_timeout')]).toBe(answers ? 0 : 1)
    },
  )

  it('without an http hook, too; 0 is no limit', async () => {
    const { port } = await serveHttp({}, undefined, { maxHttpRequests: 1 })
    const client = await RawClient.connect(port)
    await client.ask(requestHead('GET / HTTP/1.1'), '\r\n\r\n')
    expect(client.received).toMatch(/^HTTP\/1.1 426 .*Connection: Upgrade, close\r\n/s)
    await client.closed
    const boundless = await serveHttp({}, undefined, { maxHttpRequests: 0 })
    const other = await RawClient.connect(boundless.port)
    for (let i = 0; i < 1500; i++) other.send(requestHead('GET /healthz HTTP/1.1'))
    await until('all answers', () => other.received.split('\nok\n').length === 1501)
    expect(other.received).not.toContain('Connection: close')
    other.destroy()
  })
})

describe('clients of HTTP whom a proxy names', () => {
  /** What `http` was asked and has not answered. */
  const pending = new Map<string, () => void>()
  const http: App<unknown>['http'] = ({ url = '' }, response) => {
    pending.set(url, () => response.end(`answer ${url}\n`))
  }
  const named = (url: string, address: string) =>
    requestHead(`GET ${url} HTTP/1.1`, `X-Forwarded-For: 192.0.2.66, ${address}`)
  const start = async (limit: number, trusted = ['127.0.0.1']) => {
    const counts = ClientCounts.create(limit, 100, 12_345)
    const clients = new HttpClients('x-forwarded-for', new AddressSet(trusted), counts)
    const { port, board } = await serveHttp({ http }, undefined, {}, undefined, clients)
    const proxy = () => RawClient.connect(port)
    return { proxy, counts, refused: () => board.shards[0][Counter.HTTP_TOO_MANY] }
  }
  const asked = async (url: string) => until(url, () => pending.has(url))

  it('have as many requests in progress as they may have connections', async () => {
    const { proxy, counts, refused } = await start(2)
    const connections = [await proxy(), await proxy(), await proxy()]
    for (const number of [0, 1]) {
      connections[number].send(named(`/${number}`, '203.0.113.7'))
      await asked(`/${number}`)
    }
    const [first, , third] = connections
    await third.ask(named('/2', '203.0.113.7'), 'as it may have\n')
    expect(third.received).toMatch(/^HTTP\/1.1 429 /)
    expect([pending.has('/2'), refused()]).toEqual([false, 1])
    // The connection is the proxy's, who asks for others.
    third.send(named('/3', '203.0.113.8'))
    await asked('/3')
    pending.get('/3')?.()
    await third.receive('answer /3\n')
    // An answer makes room, at whatever connection.
    pending.get('/0')?.()
    await first.receive('answer /0\n')
    const fourth = await proxy()
    fourth.send(named('/4', '203.0.113.7'))
    await asked('/4')
    expect(refused()).toBe(1)
    third.send(named('/5', '203.0.113.7'))
    await until('it is refused', () => refused() === 2)
    for (const client of [...connections, fourth]) client.destroy()
    for (let admission = 0; admission < 4; admission++) counts.give(admission)
    expect(new Int32Array(counts.facts.memory).every(value => value === 0)).toBe(true)
  })

  it('are who the first untrusted hop is, and are not counted where nobody is named', async () => {
    const { proxy, refused } = await start(1, ['127.0.0.1', '192.0.2.0/24'])
    const connections = [await proxy(), await proxy(), await proxy(), await proxy()]
    const lines = [[], [], ['X-Forwarded-For: 192.0.2.9'], ['X-Forwarded-For: 192.0.2.9']]
    for (const [number, client] of connections.entries()) {
      client.send(requestHead(`GET /x${number} HTTP/1.1`, ...lines[number]))
      await asked(`/x${number}`)
    }
    expect(refused()).toBe(0)
    for (const client of connections) client.destroy()
  })

  it('are not asked of who is no proxy; what a proxy wrote must be readable', async () => {
    const stranger = await start(1, ['192.0.2.1'])
    const strangers = [await stranger.proxy(), await stranger.proxy()]
    for (const [number, client] of strangers.entries()) {
      client.send(named(`/s${number}`, 'nonsense'))
      await asked(`/s${number}`)
      client.destroy()
    }
    const { proxy } = await start(1)
    const client = await proxy()
    await client.ask(named('/n', 'nonsense'), 'cannot be read\n')
    expect(client.received).toMatch(/^HTTP\/1.1 400 /)
    client.destroy()
  })
})
