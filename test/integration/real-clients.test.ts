// Clients that others wrote, against the built package with several shards.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { WebSocket as UndiciWebSocket } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket as WsWebSocket } from 'ws'
import { expected, scenarios, shardsOf } from '../browser/scenarios.mjs'
import { chromiumPath, counterparts, pythonWebsockets } from '../counterparts.js'
import { needs, nodeIsAtLeast } from '../needs.js'
import { Chromium } from '../support/chromium.js'
import { ServerProcess } from '../support/server-process.js'

const WORKERS = 2
const names = Object.keys(scenarios)

let server: ServerProcess
let url: string

beforeAll(async () => {
  server = await ServerProcess.start({ workers: WORKERS, app: 'browser-app.mjs', protocols: ['one', 'two'] })
  url = `ws://127.0.0.1:${server.port}/`
})

afterAll(() => server.finish())

/** Eight connections at a time are four on each shard. */
const EVENLY = ['0', '0', '0', '0', '1', '1', '1', '1']

const classes = [
  { name: 'ws', Client: WsWebSocket, options: {} },
  { name: 'undici', Client: UndiciWebSocket, options: {} },
  {
    name: 'the built-in WebSocket',
    Client: globalThis.WebSocket,
    options: needs(nodeIsAtLeast('22'), 'needs Node >= 22'),
  },
]

/** As above, but connections that are ending still, or that the client has for itself, count as well. */
function assertBoth(shards: string[]): void {
  expect(shards).toHaveLength(8)
  expect(new Set(shards)).toEqual(new Set(['0', '1']))
}

describe.each(classes)('$name', ({ Client, options }) => {
  test.each(names)('%s', options, async scenario => {
    expect(await scenarios[scenario](Client, url)).toEqual(expected[scenario])
  })

  test('all shards have some of the connections', options, async () => {
    await server.empty()
    const before = await server.stats()
    expect((await shardsOf(Client, url, 8)).toSorted()).toEqual(EVENLY)
    await server.empty()
    const { shards } = await server.stats()
    for (const { index, connectionsTotal } of shards) {
      expect(connectionsTotal - before.shards[index].connectionsTotal).toBe(8 / WORKERS)
    }
  })

  test('the application is told code and reason of the client', options, async () => {
    await server.app()
    await scenarios['the client closes with code and reason'](Client, url)
    await server.empty()
    expect((await server.app()).reasons).toEqual(['by the client €'])
  })
})

describe('ws, beyond what browsers can do', () => {
  async function open(target = ''): Promise<WsWebSocket> {
    const client = new WsWebSocket(url + target)
    await once(client, 'open')
    return client
  }

  test('fragments', async () => {
    const client = await open()
    for (const fragment of ['añ', '€', '']) client.send(fragment, { fin: false })
    client.send('😀')
    expect(String((await once(client, 'message'))[0])).toBe('añ€😀')
    const part = Buffer.alloc(70_000, 'x')
    for (let i = 0; i < 10; i++) {
      client.send(part, { fin: false, binary: true })
      if (i === 5) client.ping('between')
    }
    const pong = once(client, 'pong')
    client.send(part, { binary: true })
    const [[data, isBinary], [payload]] = await Promise.all([once(client, 'message'), pong])
    expect([(data as Buffer).length, isBinary, String(payload)]).toEqual([770_000, true, 'between'])
    client.close()
  })

  test('Pings and Pongs both ways', async () => {
    const client = await open()
    client.ping('x'.repeat(125))
    expect(String((await once(client, 'pong'))[0])).toBe('x'.repeat(125))
    const told = once(client, 'message')
    client.ping('tell')
    expect(String((await told)[0])).toBe('ping tell')
    client.pong('unasked')
    expect(String((await once(client, 'message'))[0])).toBe('pong unasked')
    const pinged = once(client, 'ping')
    const answered = once(client, 'message')
    client.send('!ping from-the-server')
    expect(String((await pinged)[0])).toBe('from-the-server')
    expect(String((await answered)[0])).toBe('pong from-the-server')
    client.close()
  })

  test('the compression that it offers is declined', async () => {
    const client = new WsWebSocket(url, { perMessageDeflate: { threshold: 0 } })
    await once(client, 'open')
    expect(client.extensions).toBe('')
    client.send('uncompressed')
    expect(String((await once(client, 'message'))[0])).toBe('uncompressed')
    client.close()
  })

  test.each([401, 403, 418, 503])('a refusal is seen as %i with its headers and text', async status => {
    const client = new WsWebSocket(`${url}?status=${status}`)
    const [request, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage]
    expect(request).toBeDefined()
    const body = (await response.toArray()).join('')
    expect([response.statusCode, response.headers['x-refused'], body]).toEqual([status, 'yes', 'not you'])
  })

  test('the headers of the upgrade hook', async () => {
    const client = new WsWebSocket(url)
    const [[response]] = await Promise.all([once(client, 'upgrade'), once(client, 'open')])
    expect((response as IncomingMessage).headers['x-accepted']).toBe('yes')
    client.close()
  })
})

const python = pythonWebsockets()

describe("Python's websockets", needs(python, counterparts.pythonWebsockets.reason), () => {
  let facts: Record<string, unknown>

  beforeAll(async () => {
    const script = fileURLToPath(new URL('../fixtures/python_client.py', import.meta.url))
    const { stdout } = await promisify(execFile)(python ?? '', [script, url], {
      timeout: 50_000,
      env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
    })
    facts = JSON.parse(stdout) as Record<string, unknown>
  })

  test.each([
    ['echoes', { right: 14, extensions: 0 }],
    ['uncompressed', { right: 14, extensions: 0 }],
    ['fragments', ['añ€😀', true]],
    ['pings', ['pong unasked', 'pong from-the-server']],
    ['subprotocol', 'two'],
    ['closes', [4321, 4567, 'by the server €', 1009]],
    ['refusals', [401, 403, 503].map(status => [status, 'yes'])],
  ])('%s', (name, fact) => {
    expect(facts[name]).toEqual(fact)
  })

  test('all shards have some of the connections', () => {
    assertBoth(facts.shards as string[])
  })
})

const chromium = chromiumPath()

describe('Chromium', needs(chromium, counterparts.chromium.reason), () => {
  let browser: Chromium

  /** Calls what scenarios.mjs exports as `path`, in the page. */
  function call(path: string, ...args: unknown[]): Promise<unknown> {
    const list = ['WebSocket', ...args.map(argument => JSON.stringify(argument))].join(', ')
    return browser.evaluate(`import('/scenarios.mjs').then(module => module.${path}(${list}))`)
  }

  beforeAll(async () => {
    browser = await Chromium.start(chromium ?? '')
    await browser.open(`http://127.0.0.1:${server.port}/page`)
  })

  afterAll(() => browser.close())

  test.each(names)('%s', async scenario => {
    const facts = await call(`scenarios[${JSON.stringify(scenario)}]`, url)
    expect(facts).toEqual(expected[scenario])
  })

  test('all shards have some of the connections', async () => {
    const shards = (await call('shardsOf', url, 8)) as string[]
    assertBoth(shards)
  })
})
