// `shardws bench` from the outside: real runs against the built server and against servers that fail.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Command, type Outcome } from '../command.js'
import { LoadTarget, stall, type TargetBehaviour } from '../support/load-target.js'

let server: Command
let directory: string
const targets: LoadTarget[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shardws-bench-'))
  server = await Command.listening(['--workers', '2'])
})

afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

afterEach(async () => {
  for (const target of targets.splice(0)) await target.stop()
})

async function targetUrl(behaviour: TargetBehaviour): Promise<string> {
  const target = await LoadTarget.start(behaviour)
  targets.push(target)
  return target.url
}

function bench(...args: string[]): Promise<Outcome> {
  return new Command(['bench', ...args]).ended
}

interface Report {
  seconds: number
  messages: number
  messagesPerSecond: number
  perSecond: number[]
  latencyUs: Record<string, number>
  mismatches: number
  unanswered: number
  errors: Record<string, number>
  connected: number
}

async function benchJson(...args: string[]): Promise<Report & { code: number | null }> {
  const { stdout, code } = await bench('--json', ...args)
  return { ...(JSON.parse(stdout) as Report), code }
}

/** All that was due in the time that was measured came back or is known to be missing. */
function expectRate({ messages, unanswered, seconds }: Report, rate: number): void {
  const share = (messages + unanswered) / (seconds * rate)
  expect(share).toBeGreaterThan(0.8)
  expect(share).toBeLessThan(1.25)
}

describe('against the server', () => {
  test('a table of latencies, the throughput and a verdict', async () => {
    const { code, stdout, stderr } = await bench('-c', '10', '-d', '1', '-p', '4', server.url)
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `1 s at ${server.url}/: 10 connections, 4 in flight, 20 bytes of binary\n`,
    })
    expect(stdout).toMatch(/│ Latency \(us\) │ +50% │ +75% │ +90% │ +97.5% │ +99% │ +99.9% │ +99.99% │/)
    expect(stdout).toMatch(/│ messages +│ +[\d,]+ │ +[\d,]+ │ +[\d,]+ │/)
    expect(stdout).toMatch(/\n[\d,]+ messages in 1\.\d\d s, 10 of 10 connections open at the end\n/)
    expect(stdout).toMatch(/\nno errors, no mismatches\n$/)
  })

  test('JSON that adds up', async () => {
    const { code, stdout, stderr } = await bench(
      '-j',
      '-c',
      '5',
      '-d',
      '1',
      '--text',
      '-s',
      '200',
      server.url,
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const report = JSON.parse(stdout)
    expect(report).toEqual({
      url: `${server.url}/`,
      connections: 5,
      pipelining: 1,
      size: 200,
      kind: 'text',
      rate: null,
      processes: 1,
      seconds: expect.closeTo(1, 0),
      messages: expect.any(Number),
      messagesPerSecond: expect.closeTo(report.messages / report.seconds, -2),
      bytesPerSecond: expect.any(Number),
      perSecond: [expect.any(Number)],
      latencyUs: expect.any(Object),
      unanswered: expect.any(Number),
      oldestUnansweredUs: expect.any(Number),
      connected: 5,
      mismatches: 0,
      errors: {},
    })
    expect(report.messages).toBeGreaterThan(100)
    // 200 bytes and a header of 4.
    expect(report.bytesPerSecond / report.messagesPerSecond).toBeCloseTo(204, -1)
    const { min, p50, p90, p99, max } = report.latencyUs
    const ordered = [min, p50, p90, p99, report.latencyUs['p99.9'], max]
    expect(ordered).toEqual(ordered.toSorted((a, b) => a - b))
    expect(Object.keys(report.latencyUs)).toEqual([
      'min',
      'mean',
      'deviation',
      'p50',
      'p75',
      'p90',
      'p97.5',
      'p99',
      'p99.9',
      'p99.99',
      'max',
    ])
  })

  test('several processes share the connections and the rate', async () => {
    const clients = new Set<string>()
    const url = await targetUrl({ opened: (_, request) => clients.add(String(request.socket.remotePort)) })
    const report = await benchJson('-w', '2', '-c', '5', '-d', '1', '-R', '200', url)
    const { code, connected } = report
    expect({ code, connected, clients: clients.size }).toEqual({ code: 0, connected: 5, clients: 5 })
    expectRate(report, 200)
  })

  test('a message of its own, from the command line or from a file', async () => {
    const seen = new Set<string>()
    const url = await targetUrl({
      message(socket, data, binary) {
        seen.add(`${binary ? 'binary' : 'text'} ${data.toString()}`)
        socket.send(data, { binary })
      },
    })
    const file = join(directory, 'message')
    await writeFile(file, 'from a file')
    expect((await bench('-c', '1', '-d', '0.2', '-b', 'Grüße, 世界', url)).code).toBe(0)
    expect((await bench('-c', '1', '-d', '0.2', '-i', file, url)).code).toBe(0)
    expect([...seen]).toEqual(['text Grüße, 世界', 'binary from a file'])
  })

  test.each([['1'], ['2']])('Ctrl+C ends a run of %s process(es) early, with its result', async processes => {
    const command = new Command(['bench', '-c', '2', '-d', '600', '-w', processes, server.url])
    await command.output('stderr', /600 s at/)
    command.kill('SIGINT')
    const { code, stdout } = await command.ended
    expect(stdout).toContain('2 of 2 connections open at the end')
    // Nothing may have come back yet.
    expect([0, 1]).toContain(code)
  })
})

describe('a server that stalls', () => {
  const STALL_MS = 600

  /** Answers at once, but for one pause in which it does nothing at all. */
  async function stallingUrl(after: number): Promise<string> {
    let messages = 0
    return targetUrl({
      message(socket, data) {
        if (++messages === after) stall(STALL_MS)
        socket.send(data)
      },
    })
  }

  test('with a rate, every message that was due meanwhile counts its waiting', async () => {
    const url = await stallingUrl(60)
    const report = await benchJson('-c', '2', '-d', '2', '-R', '200', url)
    expectRate(report, 200)
    // 120 of 400 messages fell into the pause and waited between 0 and 600 ms: a fifth of all more than 200 ms.
    expect(report.latencyUs.p90).toBeGreaterThan(250_000)
    expect(report.latencyUs.max).toBeGreaterThan(550_000)
  })

  test('without one, only what was under way', async () => {
    const url = await stallingUrl(1000)
    const { latencyUs } = await benchJson('-c', '2', '-d', '2', url)
    expect(latencyUs.max).toBeGreaterThan(550_000)
    expect(latencyUs.p90).toBeLessThan(250_000)
  })
})

describe('a server that fails', () => {
  test('changed messages: told, and exit code 1', async () => {
    const url = await targetUrl({ message: (socket, data) => socket.send(data.fill(0)) })
    const { code, stdout } = await bench('-c', '2', '-d', '0.5', url)
    expect(code).toBe(1)
    expect(stdout).toMatch(/\n[\d,]+ messages came back CHANGED or unasked\n/)
    expect(stdout).not.toContain('no errors')
    const report = await benchJson('-c', '2', '-d', '0.5', url)
    expect(report.code).toBe(1)
    expect(report.mismatches).toBeGreaterThan(0)
  })

  test('refused connections: told by reason, and exit code 1', async () => {
    let requests = 0
    const url = await targetUrl({ refuse: () => (requests++ === 0 ? undefined : 503) })
    const { code, errors, connected } = await benchJson('-c', '3', '-d', '0.5', url)
    expect(code).toBe(1)
    expect(connected).toBe(1)
    expect(Object.keys(errors)).toEqual(['the server answered HTTP/1.1 503 Service Unavailable'])
  })

  test.each([['1'], ['2']])('nothing but refusals, with %s process(es): one line', async processes => {
    const url = await targetUrl({ refuse: () => 403 })
    const reason = 'the server answered HTTP/1.1 403 Forbidden'
    expect(await bench('-c', '2', '-w', processes, url)).toEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr: `shardws bench: cannot connect to ${url}: ${reason}\n`,
    })
  })

  test('silence: nothing came back, exit code 1', async () => {
    const url = await targetUrl({ message: () => {} })
    const { code, stdout } = await bench('-c', '1', '-d', '0.5', url)
    expect(code).toBe(1)
    expect(stdout).toContain('NOTHING came back')
  })
})

test.each([
  [[], 'give one target'],
  [['http://localhost/'], 'the target must be a ws:// URL'],
  [['-c', '0', 'ws://localhost/'], 'connections must be a whole number'],
])('%j can not be understood: exit code 2', async (args, text) => {
  const { code, stdout, stderr } = await bench(...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^shardws bench: [^\n]+\n$/)
  expect(stderr).toContain(text)
})
