import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { AddressSet } from '../../../src/address.js'
import type { App } from '../../../src/app.js'
import { ClientCounts } from '../../../src/client-counts.js'
import { HttpClients } from '../../../src/connection/http-clients.js'
import {
  type Board,
  Counter,
  createPrimaryCounters,
  Ledger,
  LIMITS,
  Phase,
  PrimaryCounter,
} from '../../../src/ledger.js'
import { resolveOptions } from '../../../src/serve-options.js'
import { type HttpOptions, ShardHttp } from '../../../src/shard/http.js'
import { RawClient } from '../../raw-client.js'
import { falsePromise } from '../../support/false-promise.js'
import { UNPACED } from '../../support/unpaced.js'
import { until } from '../../support/until.js'

const stops: (() => void)[] = []

afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** A shard's HTTP, fed by a listener. */
async function serve(
  app: App<unknown> = {},
  path?: string,
  bounds: Partial<HttpOptions> = {},
  metricsPath?: string,
  clients?: HttpClients,
) {
  const log: string[] = []
  const { counters } = new Ledger()
  const board: Board = { primary: createPrimaryCounters(), workers: 1, shards: [counters] }
  const http = new ShardHttp(
    app,
    { ...resolveOptions({}).connection, path, ...bounds },
    (level, line, error) => {
      log.push(`${level} ${line}: ${String(error)}`)
    },
    { board, counters, metricsPath },
    clients,
  )
  const ends: string[] = []
  let admission = 0
  const server: Server = createServer(socket =>
    http.serve(socket, {
      admission: admission++,
      peer: { address: '127.0.0.1', port: 0 },
      input: UNPACED,
      end: (bytes: Buffer) => void ends.push(bytes.toString('latin1')),
    }),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stops.push(() => {
    server.close()
    http.destroy()
  })
  return { http, log, ends, board, port: (server.address() as AddressInfo).port }
}

const request = (line: string, ...headers: string[]): string =>
  `${[line, 'Host: x', ...headers].join('\r\n')}\r\n\r\n`

describe('HTTP without an http hook', () => {
  it.each([
    ['GET /healthz', undefined, 200],
    ['HEAD /healthz', undefined, 200],
    ['GET /healthz?x=1', '/chat', 200],
    ['POST /healthz', undefined, 426],
    ['GET /', undefined, 426],
    ['GET /chat?x=1', '/chat', 426],
    ['GET /else', '/chat', 404],
    ['GET /chat/', '/chat', 404],
  ])('%s with path %s is %i', async (line, path, status) => {
    const { port } = await serve({}, path)
    const client = await RawClient.connect(port)
    const response = await client.ask(request(`${line} HTTP/1.1`, 'Connection: close'), '\r\n\r\n')
    expect(response).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(response.includes('Upgrade: websocket')).toBe(status === 426)
    // As the request asks for, beside what Upgrade needs.
    expect(response).toMatch(status === 426 ? /Connection: Upgrade, close\r\n/ : /Connection: close\r\n/)
    await client.closed
    expect(client.received.endsWith('\n')).toBe(true)
    if (line.startsWith('GET /healthz')) expect(client.received).toMatch(/\r\n\r\nok\n$/)
  })

  it('answers many requests of one connection, bodies and all', async () => {
    const { port } = await serve()
    const client = await RawClient.connect(port)
    client.send(request('POST /healthz HTTP/1.1', 'Content-Length: 5'))
    client.send(`hello${request('GET /healthz HTTP/1.1')}`)
    await client.receive('\r\n\r\nok\n')
    expect(client.received).toMatch(/^HTTP\/1.1 426 .*HTTP\/1.1 200 /s)
    client.destroy()
  })
})

describe('what operators ask for', () => {
  async function ask(port: number, line: string): Promise<string> {
    const client = await RawClient.connect(port)
    client.send(request(`${line} HTTP/1.1`, 'Connection: close'))
    await client.closed
    return client.received
  }

  it('/readyz follows the server', async () => {
    const { port, board } = await serve()
    const answers: string[] = []
    const look = async () => {
      const [, status, text] =
        /^HTTP\/1.1 (\d+) .*\r\n\r\n(.*)\n$/s.exec(await ask(port, 'GET /readyz')) ?? []
      answers.push(`${status} ${text}`)
    }
    await look()
    board.primary[PrimaryCounter.PHASE] = Phase.SERVING
    await look()
    board.shards[0][Counter.READY] = 1
    await look()
    board.primary[PrimaryCounter.PHASE] = Phase.STOPPING
    await look()
    expect(answers).toEqual([
      '503 the server starts',
      '503 no shard is ready',
      '200 ready',
      '503 the server stops',
    ])
  })

  it('the metrics are at the path that was asked for, before the application', async () => {
    const app: App<unknown> = { http: (_, response) => void response.end('mine') }
    const { port } = await serve(app, undefined, {}, '/stats')
    expect(await ask(port, 'GET /stats?x=1')).toMatch(
      /^HTTP\/1.1 200 .*Content-Type: text\/plain; version=0\.0\.4; charset=utf-8\r\n.*\n# TYPE shardws_ready gauge\n/s,
    )
    expect(await ask(port, 'POST /stats')).toMatch(/mine$/)
    for (const path of ['/metrics', '/readyz', '/healthz', '/stats/']) {
      expect(await ask(port, `GET ${path}`)).toMatch(/mine$/)
    }
  })

  it('nothing tells the metrics when nobody asked for them', async () => {
    const { port } = await serve()
    expect(await ask(port, 'GET /metrics')).toMatch(/^HTTP\/1.1 426 /)
  })
})

describe('an http hook', () => {
  it('answers, and sees the application as `this`', async () => {
    const app: App<unknown> = {
      http(_, response) {
        response.end(`mine ${this === app}`)
      },
    }
    const { port } = await serve(app)
    const client = await RawClient.connect(port)
    expect(await client.ask(request('GET / HTTP/1.1'), 'mine')).toMatch(/mine true$/)
    client.destroy()
  })

  const failures: [name: string, http: NonNullable<App<unknown>['http']>][] = [
    [
      'throws',
      (_, response) => {
        response.setHeader('Content-Length', 3).setHeader('Set-Cookie', 'a=b')
        throw new Error('on purpose')
      },
    ],
    ['rejects', () => Promise.reject(new Error('on purpose'))],
    ['rejects later', () => new Promise((_, reject) => setImmediate(reject, new Error('on purpose')))],
    [
      'returns what is no promise after all',
      () =>
        falsePromise(() => {
          throw new Error('on purpose')
        }),
    ],
  ]

  it.each(failures)('that %s is 500, and the error hook is told', async (_, http) => {
    const errors: unknown[][] = []
    const { port } = await serve({ http, error: (...args) => void errors.push(args) })
    const client = await RawClient.connect(port)
    const response = await client.ask(request('GET / HTTP/1.1'), 'Internal Server Error\n')
    expect(response).toMatch(/^HTTP\/1.1 500 /)
    expect(response).not.toContain('Set-Cookie')
    expect(errors).toEqual([[new Error('on purpose'), undefined]])
    client.destroy()
  })

  it('whose error hook fails as well is in the log, and nothing ends', async () => {
    const { port, log } = await serve({
      http: () => {
        throw new Error('first')
      },
      error: () => {
        throw new Error('second')
      },
    })
    const client = await RawClient.connect(port)
    await client.ask(request('GET / HTTP/1.1'), 'Internal Server Error\n')
    expect(log).toEqual([
      'error the http handler failed: Error: first',
      'error then the error hook failed: Error: second',
    ])
    client.destroy()
  })

  it('that fails after its answer does not spoil it; in the middle of one it ends the connection', async () => {
    const { port } = await serve({
      http: ({ url }, response) => {
        if (url === '/whole') response.end('w'.repeat(20_000_000))
        else response.writeHead(200, { 'Content-Length': 100 }).write('half')
        throw new Error('late')
      },
      error: () => {},
    })
    const client = await RawClient.connect(port)
    client.send(request('GET /whole HTTP/1.1'))
    await until('all of it', () => client.received.endsWith('w') && client.received.length > 20_000_000)
    client.send(request('GET /half HTTP/1.1'))
    await client.closed
    expect(client.received.includes('Internal Server Error')).toBe(false)
  })
})

describe('a later request on a connection of HTTP', () => {
  const upgrade = request(
    'GET /chat HTTP/1.1',
    'Upgrade: websocket',
    'connection:  keep-alive, Upgrade',
    'X: \xe9',
  )

  it.each(['upgrade', 'CONNECT'])(
    'that is for %s gives the connection back, with all its bytes',
    async kind => {
      const { port, ends } = await serve()
      const client = await RawClient.connect(port)
      await client.ask(request('GET /healthz HTTP/1.1'), '\r\n\r\nok\n')
      const sent = kind === 'upgrade' ? upgrade : request('CONNECT a.example:443 HTTP/1.1')
      client.send(`${sent}\x81\x80more`)
      await until('it', () => ends.length === 1)
      // Whoever takes it gets what Node has not read, too.
      expect(ends[0].replace('connection: keep', 'connection:  keep')).toBe(`${sent}\x81\x80more`)
      client.destroy()
    },
  )

  it('that is for another protocol is answered as if it had not asked; WebSocket may still follow', async () => {
    const http: App<unknown>['http'] = async (message, response) => {
      let body = ''
      for await (const chunk of message) body += String(chunk)
      response.end(`${message.headers.upgrade} ${body}.`)
    }
    const { port, ends } = await serve({ http })
    const client = await RawClient.connect(port)
    const other = ['Upgrade: h2c, websocket/13', 'Connection: Upgrade']
    await client.ask(request('GET / HTTP/1.1', ...other), 'websocket/13 .')
    await client.ask(
      `${request('POST / HTTP/1.1', ...other, 'Content-Length: 5')}hello`,
      'websocket/13 hello.',
    )
    client.send(upgrade)
    await until('it', () => ends.length === 1)
    expect(ends[0].replace('connection: keep', 'connection:  keep')).toBe(upgrade)
    client.destroy()
  })

  it('that does not wait for the answer before is given back after it', async () => {
    const answers: (() => void)[] = []
    const { port, ends } = await serve({
      http: (_, response) => {
        answers.push(() => response.end('answer;'))
      },
    })
    const client = await RawClient.connect(port)
    const get = request('GET / HTTP/1.1')
    client.send(`${get}${get}${upgrade}`)
    await until('both', () => answers.length === 2)
    answers[1]()
    expect(ends).toEqual([])
    answers[0]()
    await until('it', () => ends.length === 1)
    await client.receive('answer;')
    expect(client.received.match(/HTTP\/1.1 200/g)).toHaveLength(2)
    client.destroy()
  })

  it('is not given back when the client has gone, or the answer before was the last', async () => {
    const answers: (() => void)[] = []
    const { port, ends } = await serve({
      http: ({ url }, response) => {
        if (url === '/last') response.setHeader('Connection', 'close')
        answers.push(() => response.end('answer;'))
      },
    })
    const [gone, last] = [await RawClient.connect(port), await RawClient.connect(port)]
    gone.send(`${request('GET / HTTP/1.1')}${upgrade}`)
    await until('the request', () => answers.length === 1)
    gone.destroy()
    last.send(`${request('GET /last HTTP/1.1')}${upgrade}`)
    await until('the request', () => answers.length === 2)
    for (const answer of answers) answer()
    await last.closed
    expect(last.received).toContain('answer;')
    expect(ends).toEqual([])
  })
})

describe('HTTP that stops', () => {
  it('ends idle connections at once, and the others after their answer', async () => {
    const answers: (() => void)[] = []
    const { port, http } = await serve({
      http: (_, response) => {
        answers.push(() => response.end('done'))
      },
    })
    const [idle, busy] = [await RawClient.connect(port), await RawClient.connect(port)]
    busy.send(request('GET / HTTP/1.1'))
    await until('the request', () => answers.length === 1)
    idle.send(request('GET / HTTP/1.1'))
    await until('the request', () => answers.length === 2)
    answers[1]()
    await idle.receive('done')
    http.stop()
    await idle.closed
    answers[0]()
    await busy.receive('done')
    await busy.closed
    expect(busy.received).toMatch(/^HTTP\/1.1 200 /)
  })

  it('says so in the answers that it still gives', async () => {
    const { port, http } = await serve()
    http.stop()
    const client = await RawClient.connect(port)
    await client.ask(request('GET / HTTP/1.1'), '\r\n\r\n')
    expect(client.received).toMatch(/Connection: Upgrade, close\r\n/)
    await client.closed
  })
})

describe('the bounds of HTTP', () => {
  const refused = (board: Board) => board.shards[0][Counter.HTTP_REFUSED]
  const second = async (bounds: Partial<HttpOptions>, bytes: string, app: App<unknown> = {}) => {
    const { port, board } = await serve(app, undefined, bounds)
    const client = await RawClient.connect(port)
    await client.ask(request('GET /healthz HTTP/1.1'), app.http === undefined ? '\nok\n' : 'mine')
    const before = client.received.length
    client.send(bytes)
    await client.closed
    return { answer: client.received.slice(before), refused: refused(board) }
  }

  it.each([
    ['a head that is too long', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(2000)}\r\n\r\n`, 431],
    ['a head without an end', `GET /${'x'.repeat(3000)}`, 431],
    ['too many lines', request('GET / HTTP/1.1', ...Array<string>(20).fill('a: b')), 431],
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
    ['an expectation that nobody meets', request('GET / HTTP/1.1', 'Expect: zzz'), 417, 0],
  ])('%s, as the last request that may come', async (_, bytes, status, times) => {
    const bounds = { maxHttpRequests: 2 }
    const result = await second(bounds, bytes)
    expect(result.answer).toMatch(new RegExp(`^HTTP/1.1 ${status} .*\r\nConnection: close\r\n`, 's'))
    expect(result.refused).toBe(times)
  })

  it('no Host is needed in HTTP/1.0', async () => {
    const { port } = await serve()
    const client = await RawClient.connect(port)
    expect(await client.ask('GET /healthz HTTP/1.0\r\n\r\n', '\nok\n')).toMatch(/^HTTP\/1.1 200 /)
    await client.closed
  })

  it('an answer that the client does not take is cut after idleTimeoutMs, one that is not given yet is not', async () => {
    const http: App<unknown>['http'] = ({ url = '' }, response) => {
      if (url === '/big') response.end(Buffer.alloc(50_000_000))
    }
    const { port, board } = await serve({ http }, undefined, { idleTimeoutMs: 100 })
    const [reader, patient] = [await RawClient.connect(port), await RawClient.connect(port)]
    patient.send(request('GET /later HTTP/1.1'))
    reader.pause()
    reader.send(request('GET /big HTTP/1.1'))
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
    const { port } = await serve({ http })
    for (const url of ['/socket', '/request', '/response']) {
      const client = await RawClient.connect(port)
      client.send(request(`GET ${url} HTTP/1.1`))
      await client.closed
      expect(client.received).toBe('')
    }
    for (const [url, ...headers] of [['/heard'], ['/body', 'Content-Length: 5']]) {
      const client = await RawClient.connect(port)
      await client.ask(request(`POST ${url} HTTP/1.1`, ...headers), 'late')
      client.destroy()
    }
    expect(heard).toEqual(['response', 'request'])
  })

  it('as many lines as may be are taken', async () => {
    const { port } = await serve({}, undefined, { maxHeaderLines: 20 })
    const client = await RawClient.connect(port)
    const answer = await client.ask(
      request('GET /healthz HTTP/1.1', ...Array<string>(19).fill('a: b')),
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
      const bytes = request('POST /x HTTP/1.1', 'Content-Length: 5')
      const result = await second({ httpRequestTimeoutMs: 200, httpKeepAliveMs: 1000 }, `${bytes}he`, {
        http,
      })
      expect(result.answer).toMatch(begins ? /^HTTP\/1.1 200 .*begun\r\n$/s : /^HTTP\/1.1 408 /)
      expect(result.refused).toBe(1)
    },
  )

  it('an idle connection is kept for httpKeepAliveMs', async () => {
    const { port, board } = await serve({}, undefined, { httpKeepAliveMs: 50 })
    const client = await RawClient.connect(port)
    await client.ask(request('GET /healthz HTTP/1.1'), '\nok\n')
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
    const { port, board } = await serve({ http }, undefined, { maxHttpRequests: 3 })
    const client = await RawClient.connect(port)
    const requests = [1, 2, 3, 4, 5].map(number => request(`GET /${number} HTTP/1.1`))
    if (together) client.send(requests.join(''))
    else for (const number of [1, 2, 3]) await client.ask(requests[number - 1], `answer /${number}\n`)
    await client.closed
    expect(asked).toEqual(['/1', '/2', '/3'])
    const answers = client.received.split('HTTP/1.1 200 OK').slice(1)
    expect(answers.map(answer => /answer (.*)\n/.exec(answer)?.[1])).toEqual(asked)
    expect(answers.map(answer => answer.includes('Connection: close'))).toEqual([false, false, true])
    expect(board.shards[0][Counter.HTTP_SPENT]).toBe(1)
  })

  it('without an http hook, too; 0 is no limit', async () => {
    const { port } = await serve({}, undefined, { maxHttpRequests: 1 })
    const client = await RawClient.connect(port)
    await client.ask(request('GET / HTTP/1.1'), '\r\n\r\n')
    expect(client.received).toMatch(/^HTTP\/1.1 426 .*Connection: Upgrade, close\r\n/s)
    await client.closed
    const boundless = await serve({}, undefined, { maxHttpRequests: 0 })
    const other = await RawClient.connect(boundless.port)
    for (let i = 0; i < 1500; i++) other.send(request('GET /healthz HTTP/1.1'))
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
    request(`GET ${url} HTTP/1.1`, `X-Forwarded-For: 192.0.2.66, ${address}`)
  const start = async (limit: number, trusted = ['127.0.0.1']) => {
    const counts = ClientCounts.create(limit, 100, 12_345)
    const clients = new HttpClients('x-forwarded-for', new AddressSet(trusted), counts)
    const { port, board } = await serve({ http }, undefined, {}, undefined, clients)
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
      client.send(request(`GET /x${number} HTTP/1.1`, ...lines[number]))
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
