import { describe, expect, it } from 'vitest'
import type { App } from '../../../src/app.js'
import { Counter, Phase, PrimaryCounter } from '../../../src/ledger.js'
import { RawClient } from '../../raw-client.js'
import { falsePromise } from '../../support/false-promise.js'
import { requestHead, serveHttp } from '../../support/shard-http.js'
import { until } from '../../support/until.js'

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
    const { port } = await serveHttp({}, path)
    const client = await RawClient.connect(port)
    const response = await client.ask(requestHead(`${line} HTTP/1.1`, 'Connection: close'), '\r\n\r\n')
    expect(response).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(response.includes('Upgrade: websocket')).toBe(status === 426)
    // As the request asks for, beside what Upgrade needs.
    expect(response).toMatch(status === 426 ? /Connection: Upgrade, close\r\n/ : /Connection: close\r\n/)
    await client.closed
    expect(client.received.endsWith('\n')).toBe(true)
    if (line.startsWith('GET /healthz')) expect(client.received).toMatch(/\r\n\r\nok\n$/)
  })

  it('answers many requests of one connection, bodies and all', async () => {
    const { port } = await serveHttp()
    const client = await RawClient.connect(port)
    client.send(requestHead('POST /healthz HTTP/1.1', 'Content-Length: 5'))
    client.send(`hello${requestHead('GET /healthz HTTP/1.1')}`)
    await client.receive('\r\n\r\nok\n')
    expect(client.received).toMatch(/^HTTP\/1.1 426 .*HTTP\/1.1 200 /s)
    client.destroy()
  })
})

describe('what operators ask for', () => {
  async function ask(port: number, line: string): Promise<string> {
    const client = await RawClient.connect(port)
    client.send(requestHead(`${line} HTTP/1.1`, 'Connection: close'))
    await client.closed
    return client.received
  }

  it('/readyz follows the server', async () => {
    const { port, board } = await serveHttp()
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
    const { port } = await serveHttp(app, undefined, {}, '/stats')
    expect(await ask(port, 'GET /stats?x=1')).toMatch(
      /^HTTP\/1.1 200 .*Content-Type: text\/plain; version=0\.0\.4; charset=utf-8\r\n.*\n# TYPE shardws_ready gauge\n/s,
    )
    expect(await ask(port, 'POST /stats')).toMatch(/mine$/)
    for (const path of ['/metrics', '/readyz', '/healthz', '/stats/']) {
      expect(await ask(port, `GET ${path}`)).toMatch(/mine$/)
    }
  })

  it('nothing tells the metrics when nobody asked for them', async () => {
    const { port } = await serveHttp()
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
    const { port } = await serveHttp(app)
    const client = await RawClient.connect(port)
    expect(await client.ask(requestHead('GET / HTTP/1.1'), 'mine')).toMatch(/mine true$/)
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
    const { port } = await serveHttp({ http, error: (...args) => void errors.push(args) })
    const client = await RawClient.connect(port)
    const response = await client.ask(requestHead('GET / HTTP/1.1'), 'Internal Server Error\n')
    expect(response).toMatch(/^HTTP\/1.1 500 /)
    expect(response).not.toContain('Set-Cookie')
    expect(errors).toEqual([[new Error('on purpose'), undefined]])
    client.destroy()
  })

  it('whose error hook fails as well is in the log, and nothing ends', async () => {
    const { port, log } = await serveHttp({
      http: () => {
        throw new Error('first')
      },
      error: () => {
        throw new Error('second')
      },
    })
    const client = await RawClient.connect(port)
    await client.ask(requestHead('GET / HTTP/1.1'), 'Internal Server Error\n')
    expect(log).toEqual([
      'error the http handler failed: Error: first',
      'error then the error hook failed: Error: second',
    ])
    client.destroy()
  })

  it('that fails after its answer does not spoil it; in the middle of one it ends the connection', async () => {
    const { port } = await serveHttp({
      http: ({ url }, response) => {
        if (url === '/whole') response.end('w'.repeat(20_000_000))
        else response.writeHead(200, { 'Content-Length': 100 }).write('half')
        throw new Error('late')
      },
      error: () => {},
    })
    const client = await RawClient.connect(port)
    client.send(requestHead('GET /whole HTTP/1.1'))
    await until('all of it', () => client.received.endsWith('w') && client.received.length > 20_000_000)
    client.send(requestHead('GET /half HTTP/1.1'))
    await client.closed
    expect(client.received.includes('Internal Server Error')).toBe(false)
  })
})

describe('a later request on a connection of HTTP', () => {
  const upgrade = requestHead(
    'GET /chat HTTP/1.1',
    'Upgrade: websocket',
    'connection:  keep-alive, Upgrade',
    'X: \xe9',
  )

  it.each(['upgrade', 'CONNECT'])(
    'that is for %s gives the connection back, with all its bytes',
    async kind => {
      const { port, ends } = await serveHttp()
      const client = await RawClient.connect(port)
      await client.ask(requestHead('GET /healthz HTTP/1.1'), '\r\n\r\nok\n')
      const sent = kind === 'upgrade' ? upgrade : requestHead('CONNECT a.example:443 HTTP/1.1')
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
    const { port, ends } = await serveHttp({ http })
    const client = await RawClient.connect(port)
    const other = ['Upgrade: h2c, websocket/13', 'Connection: Upgrade']
    await client.ask(requestHead('GET / HTTP/1.1', ...other), 'websocket/13 .')
    await client.ask(
      `${requestHead('POST / HTTP/1.1', ...other, 'Content-Length: 5')}hello`,
      'websocket/13 hello.',
    )
    client.send(upgrade)
    await until('it', () => ends.length === 1)
    expect(ends[0].replace('connection: keep', 'connection:  keep')).toBe(upgrade)
    client.destroy()
  })

  it('that does not wait for the answer before is given back after it', async () => {
    const answers: (() => void)[] = []
    const { port, ends } = await serveHttp({
      http: (_, response) => {
        answers.push(() => response.end('answer;'))
      },
    })
    const client = await RawClient.connect(port)
    const get = requestHead('GET / HTTP/1.1')
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
    const { port, ends } = await serveHttp({
      http: ({ url }, response) => {
        if (url === '/last') response.setHeader('Connection', 'close')
        answers.push(() => response.end('answer;'))
      },
    })
    const [gone, last] = [await RawClient.connect(port), await RawClient.connect(port)]
    gone.send(`${requestHead('GET / HTTP/1.1')}${upgrade}`)
    await until('the request', () => answers.length === 1)
    gone.destroy()
    last.send(`${requestHead('GET /last HTTP/1.1')}${upgrade}`)
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
    const { port, http } = await serveHttp({
      http: (_, response) => {
        answers.push(() => response.end('done'))
      },
    })
    const [idle, busy] = [await RawClient.connect(port), await RawClient.connect(port)]
    busy.send(requestHead('GET / HTTP/1.1'))
    await until('the request', () => answers.length === 1)
    idle.send(requestHead('GET / HTTP/1.1'))
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
    const { port, http } = await serveHttp()
    http.stop()
    const client = await RawClient.connect(port)
    await client.ask(requestHead('GET / HTTP/1.1'), '\r\n\r\n')
    expect(client.received).toMatch(/Connection: Upgrade, close\r\n/)
    await client.closed
  })
})
