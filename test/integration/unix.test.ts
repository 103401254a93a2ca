// Unix domain sockets and sockets that systemd opens.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Command } from '../command.js'
import { counterparts, socketActivate } from '../counterparts.js'
import { needs } from '../needs.js'
import { closeFrame } from '../support/frames.js'
import { handoffWays } from '../support/handoff-ways.js'
import { ServerProcess } from '../support/server-process.js'
import { soon, until } from '../support/until.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

const directory = mkdtempSync(join(tmpdir(), 'shardws-'))
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const clients: WireClient[] = []
const children: ChildProcess[] = []
let number = 0

afterEach(() => {
  for (const client of clients.splice(0)) client.end()
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(directory, { recursive: true }))

const freshPath = (): string => join(directory, `${number++}.sock`)

async function connect(path: string): Promise<WireClient> {
  const client = await WireClient.connectUnix(path)
  clients.push(client)
  return client
}

async function open(path: string): Promise<WireClient> {
  const client = await connect(path)
  client.send(openingRequest())
  await client.handshake()
  return client
}

describe('a Unix domain socket', () => {
  const ways = handoffWays.map(({ way }) => way).filter(way => way !== 'transfer')

  test.each([...ways, 'local' as const])('serves WebSocket and HTTP by %s', async way => {
    const unix = freshPath()
    const server = await ServerProcess.start({ unix, unixMode: '600', app: 'proxy-app.mjs' }, way)
    expect(statSync(unix).isSocket()).toBe(true)
    expect(statSync(unix).mode & 0o777).toBe(0o600)

    const client = await connect(unix)
    client.send('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(JSON.parse((await client.response()).body)).toMatchObject({ url: '/x' })
    client.send(openingRequest())
    await client.handshake()
    expect(await client.ask('hello')).toBe('hello')
    const facts = JSON.parse(await client.ask('!facts')) as Record<string, unknown>
    expect(facts).toMatchObject({ remoteAddress: 'unix', remotePort: 0 })
    const big = 'x'.repeat(1_000_000)
    expect(await client.ask(big)).toBe(big)
    client.send(closeFrame(1000))
    expect((await client.closing()).code).toBe(1000)
    client.end()

    // Ends of other kinds: nothing stays behind.
    const [gone, halfOpen, cut] = [await open(unix), await open(unix), await open(unix)]
    gone.socket.destroy()
    halfOpen.end()
    await halfOpen.ended()
    cut.sendText('!flood 1000 1000')
    await cut.frame()
    cut.socket.destroy()
    await server.finish()
    expect(existsSync(unix)).toBe(false)
  })

  test('takes ws', async () => {
    const unix = freshPath()
    const server = await ServerProcess.start({ unix })
    const socket = new WebSocket(`ws+unix:${unix}:/chat`)
    await once(socket, 'open')
    socket.send('hello')
    const [data] = (await once(socket, 'message')) as [Buffer]
    expect(String(data)).toBe('hello')
    socket.close()
    await server.finish()
  })

  test('that a killed server left behind is replaced', async () => {
    const unix = freshPath()
    const first = await ServerProcess.start({ unix })
    first.kill()
    await until('its end', () => !first.isRunning)
    expect(existsSync(unix)).toBe(true)
    const second = await ServerProcess.start({ unix })
    const client = await open(unix)
    expect(await client.ask('hello')).toBe('hello')
    client.end()
    await second.finish()
  })

  test('that is in use, or no socket, is left alone', async () => {
    const unix = freshPath()
    const other: NetServer = createServer().listen(unix)
    await once(other, 'listening')
    const inUse = await new Command(['--unix', unix]).ended
    expect(inUse.code).toBe(1)
    expect(inUse.stderr).toContain(`${unix} is in use already`)
    expect(existsSync(unix)).toBe(true)
    other.close()

    const file = freshPath()
    writeFileSync(file, 'precious')
    const noSocket = await new Command(['--unix', file]).ended
    expect(noSocket.code).toBe(1)
    expect(noSocket.stderr).toContain('no socket')
    expect(statSync(file).size).toBe(8)

    const nowhere = await new Command(['--unix', join(directory, 'none', 'x.sock')]).ended
    expect(nowhere.stderr).toContain('its directory does not exist or')
  })

  test('and the command: says where, and removes it at the end', async () => {
    const unix = freshPath()
    const command = new Command(['--unix', unix, '--unix-mode', '660', '--workers', '1'])
    await command.output('stdout', new RegExp(`listening on unix:${unix} \\(1 shard\\)\n`))
    expect(statSync(unix).mode & 0o777).toBe(0o660)
    const client = await open(unix)
    expect(await client.ask('PING')).toBe('PONG')
    const stopping = command.stop()
    client.send(closeFrame(1001))
    client.end()
    expect((await stopping).code).toBe(0)
    expect(existsSync(unix)).toBe(false)
  })

  test('cannot be handed over by transfer, and the server says so', handoffWays[0].options, async () => {
    const outcome = await new Command(['--unix', freshPath()], { env: { SHARDWS_HANDOFF: 'transfer' } }).ended
    expect([outcome.code, outcome.stderr]).toEqual([1, expect.stringContaining('install koffi')])
  })
})

describe('a descriptor', () => {
  test('that is no socket is refused', async () => {
    const outcome = await new Command(['--fd', '0']).ended
    expect([outcome.code, outcome.stderr]).toEqual([1, expect.stringContaining('descriptor 0 is no socket')])
  })

  test('several are refused', async () => {
    const script = 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" "$@"'
    const child = spawn('sh', ['-c', script, process.execPath, CLI], { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', chunk => {
      stderr += String(chunk)
    })
    const [code] = (await once(child, 'close')) as [number]
    expect([code, stderr]).toEqual([1, expect.stringContaining('2 sockets in LISTEN_FDS')])
  })

  test('of somebody else is not looked at', async () => {
    const command = await Command.listening(['--workers', '1'], { env: { LISTEN_PID: '1', LISTEN_FDS: '1' } })
    expect((await command.stop()).code).toBe(0)
  })
})

describe('started by systemd', needs(socketActivate(), counterparts.systemd.reason), () => {
  /** The command, started as a service is when the first client connects. */
  function activate(place: string): { child: ChildProcess; stdout: () => string } {
    const args = [`--listen=${place}`, process.execPath, CLI, '--workers', '2']
    const child = spawn(socketActivate() as string, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    let stdout = ''
    child.stdout?.on('data', chunk => {
      stdout += String(chunk)
    })
    return { child, stdout: () => stdout }
  }

  test('with a port', async () => {
    // Free a moment ago; nothing else on this machine asks for it by number.
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as { port: number }
    probe.close()
    await once(probe, 'close')
    const { child, stdout } = activate(`127.0.0.1:${port}`)
    await until('it listens', () =>
      WireClient.connect(port).then(
        client => clients.push(client),
        () => false,
      ),
    )
    const [client] = clients
    client.send(openingRequest())
    await client.handshake()
    expect(await client.ask('PING')).toBe('PONG')
    expect(stdout()).toContain(`listening on ws://127.0.0.1:${port} (2 shards)`)
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    client.end()
    expect((await soon('its end', exit))[0]).toBe(0)
  })

  test('with a Unix domain socket, which stays systemd’s', async () => {
    const path = freshPath()
    const { child, stdout } = activate(path)
    // It is there as soon as it is bound, and refuses until somebody listens.
    await until('it listens', () =>
      connect(path).then(
        () => true,
        () => false,
      ),
    )
    const [client] = clients
    client.send(openingRequest())
    await client.handshake()
    expect(await client.ask('PING')).toBe('PONG')
    expect(stdout()).toContain('listening on unix:')
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    client.end()
    expect((await soon('its end', exit))[0]).toBe(0)
    expect(existsSync(path)).toBe(true)
  })
})
