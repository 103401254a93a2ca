// The command from the outside: what it prints, how it ends, what it does about signals.
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { availableParallelism, networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Command, type CommandOptions, type Outcome } from '../command.js'
import { Inbox } from '../inbox.js'
import { needs } from '../needs.js'

let directory: string
const running: Command[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shardws-cli-'))
})

afterAll(async () => {
  for (const command of running) command.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

function run(args: readonly string[], options?: CommandOptions): Promise<Outcome> {
  const command = new Command(args, { cwd: directory, ...options })
  running.push(command)
  return command.ended
}

async function listening(args: readonly string[], options?: CommandOptions): Promise<Command> {
  const command = await Command.listening(args, { cwd: directory, ...options })
  running.push(command)
  return command
}

async function app(name: string, source: string): Promise<string> {
  await writeFile(join(directory, name), source)
  return name
}

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some(list => list?.some(({ address }) => address === '::1'))
}

/** A client that is open and then does nothing, not even answer a Close frame. */
async function deafClient(url: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(
    'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  await once(socket, 'data')
}

describe('what it says', () => {
  test('--help', async () => {
    const { code, stdout, stderr } = await run(['--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^Usage: shardws/)
  })

  test('bench --help', async () => {
    const { code, stdout, stderr } = await run(['bench', '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^Usage: shardws bench/)
  })

  test('--version', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string }
    expect(await run(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  test('where it listens, and on how many shards', async () => {
    const one = await listening(['--workers', '1'])
    await one.output('stdout', /open .*\n/)
    expect(one.stdout).toMatch(
      /^listening on ws:(\/\/127\.0\.0\.1:[1-9]\d+) \(1 shard\)\nto try it, open http:\1\/\n$/,
    )
    const all = await listening([])
    const shards = availableParallelism() === 1 ? '1 shard' : `${availableParallelism()} shards`
    expect(all.stdout).toContain(`(${shards})`)
    expect([await one.stop(), await all.stop()]).toMatchObject([{ code: 0 }, { code: 0 }])
  })

  test('an IPv6 address in brackets', needs(hasIpv6(), 'needs the address ::1'), async () => {
    const command = new Command(['--port', '0', '--host', '::1', '--workers', '1'])
    running.push(command)
    await command.output('stdout', /listening on .*\n/)
    expect(command.stdout).toMatch(/ws:\/\/\[::1\]:\d+ /)
    await command.stop()
  })
})

describe('a command line that can not be used', () => {
  test.each([
    [['--prot', '9000'], 'there is no flag --prot'],
    [['--port', 'http'], '--port must be an integer from 0 to 65535'],
    [['a.mjs', 'b.mjs'], 'there can be one app only'],
  ])('%j is one line and exit code 2', async (args, text) => {
    const { code, stdout, stderr } = await run(args)
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^shardws: [^\n]+\n$/)
    expect(stderr).toContain(text)
  })
})

describe('a server that can not be started', () => {
  test('a port in use is one line and exit code 1', async () => {
    const first = await listening(['--workers', '1'])
    const { port } = new URL(first.url)
    const { code, stdout, stderr } = await run(['--host', '127.0.0.1', '--port', port, '--workers', '1'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(new RegExp(`^shardws: port ${port} of 127.0.0.1 is in use[^\\n]*\\n$`))
    await first.stop()
  })

  test('an address that is not of this machine', async () => {
    const { code, stderr } = await run(['--port', '0', '--host', '192.0.2.1', '--workers', '1'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^shardws: host 192\.0\.2\.1 is not an address of this machine[^\n]*\n$/)
  })

  test('an app that is not there', async () => {
    const { code, stderr } = await run(['--port', '0', 'missing.mjs'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^shardws: app must be the path of a module[^\n]*missing\.mjs\n$/)
  })

  test.each([
    [
      'throws when it is imported',
      "throw new TypeError('no database')",
      /no database\nTypeError: no database\n[\s\S]*broken\.mjs:1/,
    ],
    [
      'throws in start',
      "export default { start() { throw new TypeError('no key') } }",
      /no key\nTypeError: no key\n[\s\S]*broken\.mjs:1/,
    ],
    [
      'has a mistake in its syntax',
      '\nexport default {;\n',
      /Unexpected token[^\n]*\n[^\n]*broken\.mjs:2\nexport default \{;/,
    ],
    ['imports what is not there', "import './nowhere.mjs'", /Cannot find module[\s\S]*nowhere\.mjs/],
    ['has a hook that there is not', 'export default { massage() {} }', /app\.massage is not a hook/],
    ['exports no application', 'export const app = {}', /no default export/],
  ])('an app that %s: a line, its place, and exit code 1', async (_, source, expected) => {
    const { code, stdout, stderr } = await run(['--port', '0', await app('broken.mjs', source)])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^shardws: the application failed to start in shard \d: /)
    expect(stderr).toMatch(expected)
  })
})

describe('the app', () => {
  const source = `
    import { threadId } from 'node:worker_threads'
    export default { message: (socket, text) => socket.send(text + ' by ' + threadId) }
  `

  test('is a path from the working directory, or a URL', async () => {
    const path = await app('own.mjs', source)
    for (const argument of [path, `./${path}`, pathToFileURL(join(directory, path)).href]) {
      const command = await listening([argument, '--workers', '1'])
      const client = await Inbox.open(command.url)
      client.send('hello')
      expect(await client.next()).toMatch(/^hello by \d+$/)
      expect(await command.stop()).toMatchObject({ code: 0, stderr: '' })
    }
  })

  test('the built-in one answers PING, echoes the rest, and prints it at log level debug', async () => {
    const command = await listening(['--workers', '1', '--log-level', 'debug'])
    const client = await Inbox.open(command.url)
    client.send('PING')
    client.send('ping')
    client.socket.send(Buffer.from([1, 2, 255]))
    expect(await client.next()).toBe('PONG')
    expect(await client.next()).toBe('ping')
    await command.output('stderr', /received text 'PING'/)
    await command.output('stderr', /received binary 0102ff/)
    await command.stop()
  })

  test('prints nothing of that at the default level', async () => {
    const command = await listening(['--workers', '1'])
    const client = await Inbox.open(command.url)
    client.send('PING')
    await client.next()
    expect(await command.stop()).toMatchObject({ code: 0, stderr: '' })
  })

  test('flags reach the shards', async () => {
    const command = await listening([
      '--workers',
      '2',
      '--max-payload',
      '4',
      '--protocols',
      'v1,v2',
      '--path',
      '/ws',
    ])
    const client = await Inbox.open(`${command.url}/ws`, ['v2'])
    expect(client.socket.protocol).toBe('v2')
    client.send('12345')
    expect(await client.closed).toBe(1009)
    await expect(Inbox.open(command.url)).rejects.toThrow('404')
    await command.stop()
  })
})

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s closes all connections with 1001 and ends with 0',
    async signal => {
      const command = await listening(['--workers', '2'])
      const clients = await Promise.all([1, 2, 3, 4].map(() => Inbox.open(command.url)))
      command.kill(signal)
      expect(await Promise.all(clients.map(client => client.closed))).toEqual([1001, 1001, 1001, 1001])
      const { code, stderr } = await command.ended
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    },
  )

  test('a client that does not answer is cut when the stop time-out is over', async () => {
    const command = await listening([
      '--workers',
      '1',
      '--stop-timeout-ms',
      '200',
      '--close-timeout-ms',
      '60000',
    ])
    await deafClient(command.url)
    expect(await command.stop()).toMatchObject({ code: 0 })
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('a second signal, %s, ends it at once with %i', async (signal, expected) => {
    const command = await listening([
      '--workers',
      '1',
      '--stop-timeout-ms',
      '60000',
      '--close-timeout-ms',
      '60000',
    ])
    await deafClient(command.url)
    command.kill('SIGTERM')
    await command.output('stdout', /SIGTERM: .*\n/)
    command.kill(signal)
    expect(await command.ended).toMatchObject({ code: expected, signal: null })
  })

  test('an app that leaves timers and handles behind does not keep the process', async () => {
    const name = await app('keeps.mjs', 'setInterval(() => {}, 1000)\nexport default {}')
    for (const handoff of [{}, { SHARDWS_HANDOFF: 'local' }]) {
      const command = await listening([name, '--workers', '1', '--log-level', 'error'], { env: handoff })
      expect(await command.stop()).toMatchObject({ code: 0, stderr: '' })
    }
  })
})

test('a pipe that nobody reads any more does not end the server', async () => {
  const command = await listening(['--workers', '1', '--log-level', 'debug'])
  const client = await Inbox.open(command.url)
  command.closePipe('stderr')
  for (let turn = 0; turn < 20; turn++) {
    client.send('PING')
    expect(await client.next()).toBe('PONG')
  }
  command.closePipe('stdout')
  command.kill('SIGTERM')
  expect(await client.closed).toBe(1001)
  expect(await command.ended).toMatchObject({ code: 0 })
})
