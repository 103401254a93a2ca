import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import type { ServeOptions, Server, ShardError } from '../../src/index.js'

const built = new URL('../../dist/index.js', import.meta.url).href
const { serve } = (await import(built)) as typeof import('../../src/index.js')

const crashApp = fileURLToPath(new URL('../fixtures/crash-app.mjs', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'shardws-'))
const WAIT = { timeout: 20_000, interval: 5 }

let server: Server | undefined
const children: ChildProcess[] = []

afterEach(async () => {
  await server?.close({ timeoutMs: 0 })
  server = undefined
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(directory, { recursive: true }))

async function start(options: ServeOptions = {}): Promise<Server> {
  server = await serve({ port: 0, host: '127.0.0.1', workers: 2, logLevel: 'silent', ...options })
  return server
}

async function connect(to: Server): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${to.address()?.port}`)
  socket.on('error', () => {})
  await once(socket, 'open')
  return socket
}

async function ask(socket: WebSocket, text: string): Promise<string> {
  socket.send(text)
  const [data] = (await once(socket, 'message')) as [Buffer]
  return data.toString()
}

async function closeCode(socket: WebSocket): Promise<number> {
  const [code] = (await once(socket, 'close')) as [number]
  return code
}

/** Writes an application module. */
function app(name: string, source: string): string {
  const path = join(directory, name)
  writeFileSync(path, source)
  return path
}

/** Runs a script that has `serve`. */
function run(source: string, args: string[] = [], env: NodeJS.ProcessEnv = {}, descriptors = 1000) {
  const script = `import { serve } from ${JSON.stringify(built)}\n${source}`
  const node = [process.execPath, ...args, '--input-type=module', '-e', script]
  const child = spawn('sh', ['-c', 'ulimit -n "$0" && exec "$@"', String(descriptors), ...node], {
    env: { ...process.env, ...env },
  })
  children.push(child)
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', data => {
    output.stdout += String(data)
  })
  child.stderr.on('data', data => {
    output.stderr += String(data)
  })
  return { child, output, exit: once(child, 'close').then(([code]) => code as number) }
}

describe('a shard that fails with WebSocket connections', () => {
  it.each([
    ['crash', 'ERR_SHARD_CRASHED'],
    ['exit', 'ERR_SHARD_EXITED'],
    ['oom', 'ERR_SHARD_OUT_OF_MEMORY'],
  ])('by %s loses them alone, and is replaced', async (command, code) => {
    const running = await start({ app: crashApp, resourceLimits: { maxOldGenerationSizeMb: 40 } })
    const errors: [ShardError, number][] = []
    running.on('shardError', (error, index) => errors.push([error, index]))
    const sockets: WebSocket[] = []
    for (let count = 0; count < 10; count++) sockets.push(await connect(running))
    const lost = sockets.filter((_, index) => index % 2 === 0)
    const witnesses = sockets.filter((_, index) => index % 2 === 1)
    lost[0]?.send(command)
    expect(await Promise.all(lost.map(closeCode))).toEqual(lost.map(() => 1006))
    expect(await Promise.all(witnesses.map(witness => ask(witness, 'still here')))).toEqual(
      witnesses.map(() => 'still here'),
    )
    await vi.waitFor(
      () => expect(running.stats().shards.map(shard => shard.state)).toEqual(['ready', 'ready']),
      WAIT,
    )
    await vi.waitFor(() => expect(running.stats().shards.map(shard => shard.restarts)).toEqual([1, 0]), WAIT)
    await vi.waitFor(() => expect(running.stats().shards[0]?.state).toBe('ready'), WAIT)
    expect(errors.map(([error, index]) => [error.code, index])).toEqual([[code, 0]])

    const fresh = await Promise.all(Array.from({ length: 4 }, () => connect(running)))
    expect(await Promise.all(fresh.map(socket => ask(socket, 'new')))).toEqual(fresh.map(() => 'new'))
    const { total, shards, admitted } = running.stats()
    expect(shards.map(shard => shard.connections)).toEqual([4, 5])
    expect({ admitted, ...total }).toMatchObject({ admitted: 9, connections: 9, connectionsTotal: 14 })
  })

  it('is written to stderr with its stack when nobody listens for it', async () => {
    const { output, child } = run(`
      const server = await serve({ port: 0, host: '127.0.0.1', workers: 1, app: ${JSON.stringify(crashApp)} })
      console.log(server.address().port)
    `)
    await vi.waitFor(() => expect(output.stdout).toMatch(/\d+\n/), WAIT)
    const socket = new WebSocket(`ws://127.0.0.1:${output.stdout.trim()}`)
    socket.on('error', () => {})
    await once(socket, 'open')
    socket.send('crash')
    await vi.waitFor(() => expect(output.stderr).toContain('RangeError: crashed on demand\n    at '), WAIT)
    expect(output.stderr).toContain(
      'shardws error: shard 0 crashed: crashed on demand; another takes its place: ',
    )
    child.kill()
  })
})

describe('an application that cannot be loaded', () => {
  it.each([
    ['syntax.mjs', 'export default {', /Unexpected end of input|Unexpected token/],
    ['throws.mjs', "throw new RangeError('not today')", /not today/],
    ['imports.mjs', "import './missing.mjs'\nexport default {}", /Cannot find module .*missing\.mjs/],
    ['starts.mjs', "export default { async start() { throw new RangeError('no database') } }", /no database/],
    ['nothing.mjs', 'export const app = {}', /default/],
  ])('%s rejects with the reason', async (name, source, reason) => {
    const failure = (await start({ app: app(name, source) }).catch((error: unknown) => error)) as ShardError
    expect(failure).toMatchObject({ name: 'ShardError', code: 'ERR_SHARD_APP' })
    expect(failure.message).toMatch(reason)
    expect((failure.cause as Error).message).toMatch(reason)
  })

  it('carries the stack of the original error', async () => {
    const path = app(
      'stack.mjs',
      "function deep() { throw new RangeError('here') }\nexport default { start: deep }",
    )
    const failure = (await start({ app: path }).catch((error: unknown) => error)) as ShardError
    expect((failure.cause as Error).stack).toContain('stack.mjs:1:25')
  })

  it('leaves nothing behind that keeps the process alive', async () => {
    const path = app('broken.mjs', "throw new Error('broken')")
    const { exit, output } = run(`
      await serve({ port: 0, workers: 3, app: ${JSON.stringify(path)} }).catch(error => console.log(error.code))
    `)
    expect(await exit).toBe(0)
    expect(output).toEqual({ stdout: 'ERR_SHARD_APP\n', stderr: '' })
  })

  it('never opens the port', async () => {
    const path = app('slow.mjs', 'export default { start: () => new Promise(() => {}) }')
    const starting = start({ app: path, startTimeoutMs: 300 })
    await expect(starting).rejects.toMatchObject({ code: 'ERR_SHARD_START_TIMEOUT' })
  })
})

describe('close', () => {
  it('tells the clients 1001, runs the stop hooks, and lets the process end by itself', async () => {
    const path = app('stops.mjs', "export default { stop() { console.log('stopped') } }")
    const { exit, output } = run(`
      const server = await serve({ port: 0, host: '127.0.0.1', workers: 2, app: ${JSON.stringify(path)} })
      console.log('port', server.address().port)
      process.stdin.once('data', async () => {
        process.stdin.destroy()
        await server.close()
        console.log('closed')
      })
    `)
    await vi.waitFor(() => expect(output.stdout).toMatch(/port \d+\n/), WAIT)
    const sockets = await Promise.all(
      [0, 1, 2].map(async () => {
        const socket = new WebSocket(`ws://127.0.0.1:${output.stdout.slice(5).trim()}`)
        await once(socket, 'open')
        return socket
      }),
    )
    const codes = Promise.all(sockets.map(closeCode))
    children.at(-1)?.stdin?.write('now')
    expect(await codes).toEqual([1001, 1001, 1001])
    expect(await exit).toBe(0)
    expect(output.stdout).toMatch(
      /^port \d+\n(?:stopped\nstopped\nclosed|stopped\nclosed\nstopped|closed\nstopped\nstopped)\n$/,
    )
    expect(output.stderr).toBe('')
  })

  it('waits for clients that do not answer, and then no longer', async () => {
    const running = await start()
    const socket = await connect(running)
    // As if it were stuck: what comes is not read.
    socket.pause()
    const begin = performance.now()
    await running.close({ timeoutMs: 400 })
    const took = performance.now() - begin
    expect(took).toBeGreaterThan(390)
    expect(took).toBeLessThan(3000)
    socket.terminate()
  })
})

describe('threads that fail before they run anything', () => {
  it.each(['throw', 'hang'])('(%s) at start-up make serve reject', async mode => {
    const file = app('mode', mode)
    const { exit, output } = run(
      `await serve({ port: 0, workers: 2, startTimeoutMs: ${mode === 'hang' ? 1000 : 30_000} }).catch(error => console.log(error.code))`,
      ['--require', fileURLToPath(new URL('../fixtures/unstartable-thread.cjs', import.meta.url))],
      { THREAD_MODE_FILE: file },
    )
    expect(await exit).toBe(0)
    expect(output.stdout).toBe(mode === 'throw' ? 'ERR_SHARD_CRASHED\n' : 'ERR_SHARD_START_TIMEOUT\n')
  })

  it.each(['throw', 'hang'])('(%s) are replaced when they can be', async mode => {
    const file = app('mode', 'ok')
    const { output, child } = run(
      `
      const server = await serve({
        port: 0, host: '127.0.0.1', workers: 1, app: ${JSON.stringify(crashApp)}, startTimeoutMs: ${mode === 'hang' ? 3000 : 30_000},
      })
      server.on('shardError', error => console.log(error.code))
      console.log('port', server.address().port)
      `,
      ['--require', fileURLToPath(new URL('../fixtures/unstartable-thread.cjs', import.meta.url))],
      { THREAD_MODE_FILE: file },
    )
    await vi.waitFor(() => expect(output.stdout).toMatch(/port \d+\n/), WAIT)
    const url = `ws://127.0.0.1:${/\d+/.exec(output.stdout)?.[0]}`
    const first = new WebSocket(url)
    first.on('error', () => {})
    await once(first, 'open')
    app('mode', mode)
    first.send('exit')
    const code = mode === 'throw' ? 'ERR_SHARD_CRASHED' : 'ERR_SHARD_START_TIMEOUT'
    // One that hangs takes seconds until it is given up.
    const times = mode === 'throw' ? 2 : 1
    await vi.waitFor(() => expect(output.stdout.split(code).length).toBeGreaterThan(times), WAIT)
    app('mode', 'ok')
    const answer = await vi.waitFor(
      async () => {
        const socket = new WebSocket(url)
        await once(socket, 'open')
        return ask(socket, 'again')
      },
      { timeout: 20_000, interval: 50 },
    )
    expect(answer).toBe('again')
    child.kill()
  })
})

describe('a process without descriptors left', () => {
  it('refuses, does not spin, and goes on when there are some again', async () => {
    const { output, child } = run(
      `
      const server = await serve({ port: 0, host: '127.0.0.1', workers: 2 })
      console.log('port', server.address().port)
      process.stdin.on('data', () => {
        const { user, system } = process.cpuUsage()
        console.log('cpu', Math.round((user + system) / 1000), 'admitted', server.stats().admitted, 'end')
      })
      `,
      [],
      {},
      80,
    )
    await vi.waitFor(() => expect(output.stdout).toMatch(/port \d+\n/), WAIT)
    const url = `ws://127.0.0.1:${/\d+/.exec(output.stdout)?.[0]}`
    const tried = await Promise.all(
      Array.from({ length: 120 }, async () => {
        // Closed at once or left in the backlog: that depends on the version of libuv.
        const socket = new WebSocket(url, { handshakeTimeout: 2000 })
        socket.on('error', () => {})
        const opened = await new Promise<boolean>(resolve => {
          socket.once('open', () => resolve(true))
          socket.once('close', () => resolve(false))
        })
        return { socket, opened }
      }),
    )
    const opened = tried.filter(attempt => attempt.opened)
    expect(opened.length).toBeGreaterThan(10)
    expect(opened.length).toBeLessThan(80)
    expect(await Promise.all(opened.map(({ socket }) => ask(socket, 'PING')))).toEqual(
      opened.map(() => 'PONG'),
    )

    const measure = async (what: 'cpu' | 'admitted') => {
      const before = output.stdout.length
      child.stdin.write('?')
      await vi.waitFor(() => expect(output.stdout.slice(before)).toContain('end'), WAIT)
      return Number(new RegExp(`${what} (\\d+)`).exec(output.stdout.slice(before))?.[1])
    }
    const begin = await measure('cpu')
    await new Promise(resolve => {
      setTimeout(resolve, 1000)
    })
    expect((await measure('cpu')) - begin).toBeLessThan(300)

    for (const { socket } of tried) socket.terminate()
    const again = await vi.waitFor(
      async () => {
        const socket = new WebSocket(url)
        await once(socket, 'open')
        return socket
      },
      { timeout: 20_000, interval: 50 },
    )
    expect(await ask(again, 'PING')).toBe('PONG')
    // Nothing was lost on its way.
    await vi.waitFor(async () => expect(await measure('admitted')).toBe(1), WAIT)
    expect(output.stderr).toBe('')
  })
})

describe('without a way to hand over sockets', () => {
  it('runs one shard in the main thread, says so once, and stops as others do', async () => {
    const { exit, output } = run(
      `
      const first = await serve({ port: 0, host: '127.0.0.1', workers: 4 })
      console.log('port', first.address().port, 'shards', first.stats().shards.length)
      const second = await serve({ port: 0, host: '127.0.0.1' })
      await second.close()
      process.stdin.once('data', () => {
        process.stdin.destroy()
        first.close()
      })
      `,
      [],
      { SHARDWS_HANDOFF: 'local' },
    )
    await vi.waitFor(() => expect(output.stdout).toMatch(/shards 1\n/), WAIT)
    const socket = new WebSocket(`ws://127.0.0.1:${/\d+/.exec(output.stdout)?.[0]}`)
    await once(socket, 'open')
    expect(await ask(socket, 'PING')).toBe('PONG')
    const code = closeCode(socket)
    children.at(-1)?.stdin?.write('now')
    expect(await code).toBe(1001)
    const closed = performance.now()
    expect(await exit).toBe(0)
    expect(performance.now() - closed).toBeLessThan(5000)
    expect(output.stderr.match(/one shard runs in the main thread/g)).toHaveLength(1)
  })

  it('an application that cannot be loaded is the same error', async () => {
    const path = app('local.mjs', "throw new Error('broken')")
    const { exit, output } = run(
      `await serve({ port: 0, app: ${JSON.stringify(path)} }).catch(error => console.log(error.code, error.cause.message))`,
      [],
      { SHARDWS_HANDOFF: 'local' },
    )
    expect(await exit).toBe(0)
    expect(output.stdout).toBe('ERR_SHARD_APP broken\n')
  })
})
