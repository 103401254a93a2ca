// Autocannon in both its uses: plain HTTP load, and WebSocket load through the adapter of bench/autocannon-websocket,
// which relies on what autocannon does not document.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import autocannon, { type Options, type Result } from 'autocannon'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Command } from '../command.js'
import { LoadTarget, stall, type TargetBehaviour } from '../support/load-target.js'

/** What the adapter and the table export; bench/ has no types. */
interface Adapter {
  webSocket(options?: { message?: string }): NonNullable<Options['setupClient']>
}

const adapterUrl = new URL('../../bench/autocannon-websocket/adapter.mjs', import.meta.url)
const cli = fileURLToPath(new URL('../../bench/autocannon-websocket/cli.mjs', import.meta.url))

let server: Command
let http: string
let webSocket: Adapter['webSocket']
const targets: LoadTarget[] = []

beforeAll(async () => {
  server = await Command.listening(['--workers', '2', '--path', '/ws'])
  http = server.url.replace('ws:', 'http:')
  ;({ webSocket } = (await import(adapterUrl.href)) as Adapter)
})

afterAll(async () => {
  await server.stop()
})

afterEach(async () => {
  for (const each of targets.splice(0)) await each.stop()
})

async function target(behaviour?: TargetBehaviour): Promise<LoadTarget> {
  const started = await LoadTarget.start(behaviour)
  targets.push(started)
  return started
}

/** A run of one second over WebSocket. */
function messages(url: string, options: object = {}, message?: string): PromiseLike<Result> {
  return autocannon({
    url: url.replace('ws:', 'http:'),
    connections: 3,
    duration: 1,
    setupClient: webSocket(message === undefined ? {} : { message }),
    ...options,
  })
}

describe('plain HTTP load', () => {
  test('on the health check: all answers are 200', async () => {
    const result = await autocannon({ url: `${http}/healthz`, connections: 10, duration: 1 })
    expect(result['2xx']).toBeGreaterThan(50)
    expect(result).toMatchObject({ errors: 0, timeouts: 0, non2xx: 0 })
  })

  test('on refused upgrades: all answers are 404, and the server lives on', async () => {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    }
    const result = await autocannon({ url: `${http}/nowhere`, connections: 10, duration: 1, headers })
    expect(result['4xx']).toBeGreaterThan(50)
    expect(result).toMatchObject({ errors: 0, timeouts: 0, non2xx: result['4xx'] })
    expect(Object.keys(result.statusCodeStats)).toEqual(['404'])
    const after = await messages(`${server.url}/ws`, { amount: 10 })
    expect(after['2xx']).toBe(10)
  })
})

describe('WebSocket load through the adapter', () => {
  test.each([
    ['one in flight', {}, undefined],
    ['several in flight', { pipelining: 8 }, undefined],
    ['text', {}, 'Grüße, 世界'],
    ['a message over many reads', {}, 'x'.repeat(300_000)],
  ])('%s: every message comes back', async (_, options, message) => {
    const result = await messages(`${server.url}/ws`, options, message)
    expect(result['2xx']).toBeGreaterThan(20)
    expect(result).toMatchObject({ errors: 0, timeouts: 0, mismatches: 0, non2xx: 0 })
    expect(result.latency.totalCount).toBe(result['2xx'])
    // Microseconds: a round trip takes some, and less than a second.
    expect(result.latency.p50).toBeGreaterThan(5)
    expect(result.latency.p50).toBeLessThan(1_000_000)
  })

  test('the server sees messages and nothing else: one opening request, no second GET', async () => {
    const echo = await target()
    const result = await messages(echo.url, { amount: 100, connections: 3, pipelining: 4 })
    expect(echo.opened).toBe(3)
    expect(echo.messages).toBe(100)
    expect(result).toMatchObject({ '2xx': 100, errors: 0, mismatches: 0 })
    expect(result.requests.sent).toBe(100)
  })

  test('changed messages are mismatches', async () => {
    const { url } = await target({ message: (socket, data) => socket.send(data.fill(0)) })
    const result = await messages(url)
    expect(result['2xx']).toBeGreaterThan(0)
    expect(result.mismatches).toBe(result['2xx'])
  })

  test('refused and lost connections are errors, and opened again', async () => {
    const refusing = await target({ refuse: () => 503 })
    const refused = await messages(refusing.url)
    expect(refused['2xx']).toBe(0)
    expect(refused.errors).toBeGreaterThan(3)
    const closing = await target({
      message: (socket, data) => (closing.messages % 10 === 0 ? socket.close(1013) : socket.send(data)),
    })
    const lost = await messages(closing.url)
    expect(lost.errors).toBeGreaterThan(0)
    expect(lost['2xx']).toBeGreaterThan(30)
    expect(closing.opened).toBeGreaterThan(3)
  })

  test('silence is a time-out', async () => {
    const { url } = await target({ message: () => {} })
    const result = await messages(url, { timeout: 1, duration: 2 })
    expect(result['2xx']).toBe(0)
    expect(result.timeouts).toBeGreaterThan(0)
  })

  test('a run longer than the time limit has no time-outs while answers come', async () => {
    const result = await messages(`${server.url}/ws`, { timeout: 1, duration: 3 })
    expect(result).toMatchObject({ errors: 0, timeouts: 0 })
  })

  test('with a rate, waiting for a server that stalls counts', async () => {
    const echo = await target({
      message(socket, data) {
        if (echo.messages === 50) stall(500)
        socket.send(data)
      },
    })
    const result = await messages(echo.url, { overallRate: 150, duration: 2 })
    // Of 300, and of those of a last second that a busy machine makes longer.
    expect(result['2xx']).toBeGreaterThan(150)
    expect(result['2xx']).toBeLessThan(600)
    // A quarter of the messages fell into the pause.
    expect(result.latency.p90).toBeGreaterThan(150_000)
  })
})

describe('its command line', () => {
  const run = promisify(execFile)

  test('prints a table in microseconds', async () => {
    const { stdout } = await run(process.execPath, [cli, '-c', '4', '-p', '2', '-d', '1', `${server.url}/ws`])
    expect(stdout).toMatch(/│ Latency \(us\) │ +2.5% │/)
    expect(stdout).toMatch(
      /\n[\d,]+ messages in \S+ s, 4 connections, 2 in flight\nno errors, no mismatches\n$/,
    )
  })

  test('prints JSON, and why connections failed', async () => {
    const { stdout } = await run(process.execPath, [cli, '-j', '-a', '20', '-c', '2', `${server.url}/ws`])
    expect(JSON.parse(stdout)).toMatchObject({ '2xx': 20, errors: 0, mismatches: 0 })
    const failing = run(process.execPath, [cli, '-d', '1', '-c', '1', `${server.url}/nowhere`])
    await expect(failing).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^\d+ x the server answered HTTP\/1\.1 404 Not Found\n$/),
    })
  })
})
