// What the server tells those who operate it: lines on stderr, a logger, diagnostics channels.
import { spawn } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { BroadcastChannel } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import type { Logger, ServeOptions, Server } from '../../src/index.js'
import { CLOSE, frame } from '../support/frames.js'
import { soon, until } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

const { serve } = (await import(
  new URL('../../dist/index.js', import.meta.url).href
)) as typeof import('../../src/index.js')

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))
const app = fixture('test-app.mjs')

let server: Server | undefined

afterEach(async () => {
  await server?.close({ timeoutMs: 0 })
  server = undefined
})

async function start(options: ServeOptions): Promise<number> {
  server = await serve({ app, port: 0, host: '127.0.0.1', workers: 2, ...options })
  return (server.address() as AddressInfo).port
}

interface Line {
  level: string
  facts: Record<string, unknown>
  text: string
}

function collect(): { logger: Logger; lines: Line[]; line: (event: string) => Promise<Line> } {
  const lines: Line[] = []
  const write = (level: string) => (facts: object, text: string) => {
    lines.push({ level, facts: facts as Record<string, unknown>, text })
  }
  const logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  const line = (event: string) => until(event, () => lines.find(({ facts }) => facts.event === event))
  return { logger, lines, line }
}

async function refuse(port: number): Promise<void> {
  const client = await WireClient.connect(port)
  client.send(openingRequest('/', ['Sec-WebSocket-Key: short']))
  await client.response()
  client.end()
}

describe('a logger', () => {
  test('gets the events of the server and of its shards', async () => {
    const { logger, lines, line } = collect()
    const port = await start({ logger, logLevel: 'debug' })
    expect((await line('server.listening')).facts).toMatchObject({ address: '127.0.0.1', port, shards: 2 })

    const client = await WireClient.open(port)
    expect(await client.ask('a secret')).toBe('a secret')
    const shard = Number(await client.ask('!shard'))
    client.sendText('!close 4001 another secret')
    await client.frame()
    client.send(frame(CLOSE, Buffer.from('\x0f\xa1a secret reason', 'latin1')))
    await client.ended()
    client.end()
    expect(await line('connection.closed')).toMatchObject({
      level: 'debug',
      facts: { shard, connection: 1, code: 4001 },
    })
    await refuse(port)
    expect((await line('upgrade.refused')).facts).toMatchObject({ status: 400, fault: 'ERR_HANDSHAKE_KEY' })

    const crasher = await WireClient.open(port)
    const crashed = Number(await crasher.ask('!shard'))
    crasher.sendText('!crash')
    expect(await line('shard.crashed')).toMatchObject({
      level: 'error',
      facts: { shard: crashed, fault: 'ERR_SHARD_CRASHED', err: { message: 'crashed on demand' } },
    })
    expect(await line('shard.ready')).toMatchObject({ level: 'info', facts: { shard: crashed } })
    await server?.close()
    expect(lines.slice(-1).map(({ facts }) => facts.event)).toEqual(['server.stopped'])
    expect(JSON.stringify(lines)).not.toContain('secret')
  })

  test('gets the errors of handlers, and nothing below the level', async () => {
    const { logger, lines, line } = collect()
    const port = await start({ app: fixture('unheard-app.mjs'), logger, logLevel: 'error' })
    const client = await WireClient.open(port)
    client.sendText('throw')
    const { facts, level } = await line('handler.failed')
    expect(level).toBe('error')
    expect(facts).toMatchObject({ connection: 1, shard: expect.any(Number) })
    expect(facts.err).toBeInstanceOf(Error)
    expect((facts.err as Error).stack).toContain('unheard-app.mjs')
    await client.ended()
    client.end()
    await server?.close()
    expect(lines).toHaveLength(1)
  })
})

describe('the command', () => {
  test('writes one object of JSON in each line with --log-format json', async () => {
    const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
    const args = [cli, '--port', '0', '--host', '127.0.0.1', '--workers', '1', '--log-level', 'debug']
    const child = spawn(process.execPath, [...args, '--log-format', 'json', '--admin-port', '0', app])
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', data => {
      stdout += String(data)
    })
    child.stderr.on('data', data => {
      stderr += String(data)
    })
    try {
      await until('it listens', () => /metrics at http:\/\/127\.0\.0\.1:\d+\/metrics\n/.test(stdout))
      const port = Number(/ws:\/\/127\.0\.0\.1:(\d+)/.exec(stdout)?.[1])
      await refuse(port)
      const client = await WireClient.open(port)
      client.sendText('!crash')
      await until('the shard is back', () => stderr.includes('shard.ready'))
      const ended = once(child, 'close')
      child.kill('SIGTERM')
      await soon('the end', ended)
    } finally {
      child.kill('SIGKILL')
    }
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
    expect(lines.map(line => line.event)).toEqual([
      'server.listening',
      'upgrade.refused',
      'shard.crashed',
      'shard.ready',
      'server.stopping',
      'server.stopped',
    ])
    const times = lines.map(line => line.time as number)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(lines[2]).toMatchObject({
      level: 'error',
      shard: 0,
      fault: 'ERR_SHARD_CRASHED',
      err: { type: 'RangeError', message: 'crashed on demand' },
    })
  })
})

describe('diagnostics channels', () => {
  test('tell of connections and refusals in the shard, of crashes in the main thread', async () => {
    const heard: Record<string, unknown>[] = []
    const channel = new BroadcastChannel('traced-app')
    channel.addEventListener('message', event =>
      heard.push((event as MessageEvent<Record<string, unknown>>).data),
    )
    const crashes: { error: { code: string }; index: number }[] = []
    const onCrash = (message: unknown) => crashes.push(message as (typeof crashes)[number])
    subscribe('shardws:shard:crash', onCrash)
    try {
      const port = await start({ app: fixture('traced-app.mjs'), logLevel: 'silent' })
      const client = await WireClient.open(port, '/?name=x')
      expect(await until('open', () => heard[0])).toEqual({
        name: 'shardws:connection:open',
        url: '/?name=x',
        state: 'open',
      })
      client.socket.destroy()
      expect(await until('close', () => heard[1])).toEqual({
        name: 'shardws:connection:close',
        url: '/?name=x',
        state: 'closed',
        code: 1006,
        reason: '',
      })
      await refuse(port)
      expect(await until('refused', () => heard[2])).toEqual({
        name: 'shardws:upgrade:refused',
        status: 400,
        code: 'ERR_HANDSHAKE_KEY',
        remoteAddress: '127.0.0.1',
        remotePort: expect.any(Number),
      })
      const crasher = await WireClient.open(port)
      const index = Number(await crasher.ask('!shard'))
      crasher.sendText('!crash')
      expect(await until('crash', () => crashes[0])).toMatchObject({
        error: { code: 'ERR_SHARD_CRASHED' },
        index,
      })
      await server?.close({ timeoutMs: 0 })
      expect(crashes).toHaveLength(1)
    } finally {
      channel.close()
      unsubscribe('shardws:shard:crash', onCrash)
    }
  })
})
