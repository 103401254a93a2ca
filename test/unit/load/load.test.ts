// A load run in this process, against servers that behave well and badly.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type LoadResult, runLoad } from '../../../src/load/load.js'
import { type LoadOptions, resolveLoadOptions } from '../../../src/load/load-options.js'
import { LoadTarget, type TargetBehaviour } from '../../support/load-target.js'

type Given = Partial<Omit<LoadOptions, 'url'>>

const targets: LoadTarget[] = []
const servers: Server[] = []

afterEach(async () => {
  for (const each of targets.splice(0)) await each.stop()
  for (const server of servers.splice(0)) server.close()
})

async function target(behaviour?: TargetBehaviour): Promise<LoadTarget> {
  const started = await LoadTarget.start(behaviour)
  targets.push(started)
  return started
}

/** A server below HTTP. */
async function tcpTarget(connected: (socket: Socket) => void): Promise<string> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    connected(socket)
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

function load(url: string, given: Given = {}): Promise<LoadResult> {
  return runLoad(resolveLoadOptions(url, { connections: 2, duration: 0.3, ...given }))
}

describe('an echo server', () => {
  it.each([
    ['binary', {}],
    ['text', { text: true, size: 100 }],
    ['empty messages', { size: 0 }],
    ['several in flight', { pipelining: 16 }],
    ['more bytes than a read or a write takes', { size: 1_000_000, pipelining: 3 }],
    ['more messages than a batch has', { size: 300_000, pipelining: 10 }],
    ['a message of its own', { payload: Buffer.from('Grüße, 世界'), text: true }],
  ] satisfies [string, Given][])('%s: all comes back', async (_, given) => {
    const echo = await target()
    const { messages, mismatches, errors, connected, latencies, bytes, seconds } = await load(echo.url, given)
    expect(messages).toBeGreaterThan(0)
    expect({ mismatches, errors: [...errors], connected }).toEqual({
      mismatches: 0,
      errors: [],
      connected: 2,
    })
    expect(latencies.count).toBe(messages)
    expect(bytes).toBeGreaterThan(messages)
    // Node's timers may be a millisecond early.
    expect(seconds).toBeGreaterThan(0.29)
  })

  it('gets as many messages under way as asked for, no more', async () => {
    let most = 0
    let held: (() => void)[] = []
    const { url } = await target({
      message(socket, data) {
        held.push(() => socket.send(data))
        most = Math.max(most, held.length)
        setImmediate(() => {
          for (const send of held.splice(0)) send()
          held = []
        })
      },
    })
    await load(url, { connections: 1, pipelining: 5 })
    expect(most).toBe(5)
  })

  it('gets the headers and subprotocols', async () => {
    const seen: unknown[] = []
    const { url } = await target({
      opened: (_, { headers, url: path }) =>
        seen.push(path, headers.origin, headers.cookie, headers['sec-websocket-protocol']),
    })
    const headers = ['Origin: https://a.example', 'Cookie: b=c']
    await load(`${url}chat?room=1`, { connections: 1, protocols: ['v1', 'v2'], headers })
    expect(seen).toEqual(['/chat?room=1', 'https://a.example', 'b=c', 'v1, v2'])
  })

  it('gets a Pong for each Ping, between two frames', async () => {
    let pongs = 0
    const { url } = await target({
      opened: socket => socket.on('pong', data => (pongs += Number(String(data) === 'are you there'))),
      message(socket, data, binary) {
        socket.ping('are you there')
        socket.send(data, { binary })
      },
    })
    const { messages, mismatches, errors } = await load(url, { size: 200_000, connections: 1 })
    expect({ mismatches, errors: [...errors] }).toEqual({ mismatches: 0, errors: [] })
    expect(messages).toBeGreaterThan(0)
    // The last one may be cut off with the connection.
    expect(pongs).toBeGreaterThanOrEqual(messages - 1)
  })

  it('may answer in fragments', async () => {
    const { url } = await target({
      message(socket, data, binary) {
        socket.send(data.subarray(0, 7), { binary, fin: false })
        socket.send(data.subarray(7), { binary })
      },
    })
    const { messages, mismatches, errors } = await load(url)
    expect({ mismatches, errors: [...errors] }).toEqual({ mismatches: 0, errors: [] })
    expect(messages).toBeGreaterThan(0)
  })
})

describe('a server that changes messages', () => {
  it.each([
    ['one byte', (data: Buffer) => data.fill(data[5] ^ 1, 5, 6)],
    ['the length', (data: Buffer) => data.subarray(1)],
  ])('%s: each message that is compared is a mismatch', async (_, change) => {
    const { url } = await target({ message: (socket, data) => socket.send(change(Buffer.from(data))) })
    const { mismatches, messages } = await load(url)
    expect(mismatches).toBeGreaterThan(0)
    expect(messages).toBeGreaterThan(0)
  })

  it('the last byte of a large one', async () => {
    const { url } = await target({
      message(socket, data) {
        data[data.length - 1] ^= 1
        socket.send(data)
      },
    })
    expect((await load(url, { size: 500_000, connections: 1 })).mismatches).toBeGreaterThan(0)
  })

  it("the connection's first", async () => {
    const changing = await target({
      message: (socket, data) => socket.send(changing.messages === 1 ? data.fill(0) : data),
    })
    const { mismatches } = await load(changing.url, { connections: 1, warmup: 0 })
    expect(mismatches).toBe(1)
  })

  it('text into binary', async () => {
    const { url } = await target({ message: (socket, data) => socket.send(data) })
    expect((await load(url, { text: true })).mismatches).toBeGreaterThan(0)
  })

  it('twice instead of once: what comes unasked is no answer', async () => {
    const { url } = await target({
      message(socket, data) {
        socket.send(data)
        socket.send(data)
      },
    })
    const { mismatches, messages, latencies, unanswered } = await load(url, { connections: 1 })
    expect(mismatches).toBeGreaterThan(0)
    expect(latencies.count).toBe(messages)
    expect(unanswered).toBe(1)
  })
})

describe('a server that fails', () => {
  it('nobody listens', async () => {
    const url = await tcpTarget(() => {})
    servers[0]?.close()
    await expect(load(url)).rejects.toThrow(`cannot connect to ${url}: connect ECONNREFUSED`)
  })

  it.each([
    ['refuses', 'HTTP/1.1 503 Busy\r\n\r\n', 'the server answered HTTP/1.1 503 Busy'],
    [
      'has a wrong accept',
      'HTTP/1.1 101 A\r\nSec-WebSocket-Accept: x\r\n\r\n',
      'Sec-WebSocket-Accept is wrong',
    ],
    ['does not end its head', 'x'.repeat(20_000), 'the response has no end'],
    ['hangs up', undefined, 'the server ended the connection'],
  ])('%s: the reason', async (_, answer, reason) => {
    const url = await tcpTarget(socket => {
      socket.once('data', () => (answer === undefined ? socket.end() : socket.write(answer)))
    })
    await expect(load(url)).rejects.toThrow(`cannot connect to ${url}: ${reason}`)
  })

  it('refuses some: the run goes on with the others', async () => {
    let requests = 0
    const echo = await target({ refuse: () => (requests++ % 2 === 0 ? 503 : undefined) })
    const { messages, errors, connected } = await load(echo.url, { connections: 4 })
    expect(messages).toBeGreaterThan(0)
    expect(errors.get('the server answered HTTP/1.1 503 Service Unavailable')).toBeGreaterThan(0)
    expect(connected).toBeGreaterThan(0)
  })

  it('refuses at first: they are tried again once the run has begun', async () => {
    let requests = 0
    const echo = await target({ refuse: () => (requests++ < 2 ? 503 : undefined) })
    const { errors, connected } = await load(echo.url, { connections: 4 })
    expect([...errors.values()]).toEqual([2])
    expect(connected).toBe(4)
  })

  it('closes connections: they are counted by code, and opened again', async () => {
    const echo = await target({
      message(socket, data) {
        if (echo.messages % 100 === 0) socket.close(1013)
        else socket.send(data)
      },
    })
    const { errors, messages } = await load(echo.url, { duration: 0.5 })
    expect([...errors.keys()]).toEqual(['the server closed with 1013'])
    expect(messages).toBeGreaterThan(100)
    expect(echo.opened).toBeGreaterThan(2)
  })

  it('breaks RFC 6455', async () => {
    let raw: Socket | undefined
    const { url } = await target({
      opened: (_, request) => {
        raw = request.socket
      },
      message: () => raw?.write(Buffer.of(0xff, 0)),
    })
    expect([...(await load(url, { connections: 1 })).errors.keys()]).toEqual(['the server breaks RFC 6455'])
  })

  it('does not answer: an error after the time limit', async () => {
    const { url } = await target({ message: () => {} })
    const { messages, errors } = await load(url, { timeout: 0.1, duration: 0.5 })
    expect(messages).toBe(0)
    expect(errors.get('no answer for 0.1 s')).toBeGreaterThanOrEqual(2)
  })
})

describe('with a rate', () => {
  it('sends as many as asked for', async () => {
    const echo = await target()
    const { messages, unanswered, seconds, latencies } = await load(echo.url, { rate: 400, duration: 1 })
    const share = (messages + unanswered) / (seconds * 400)
    expect(share).toBeGreaterThan(0.8)
    expect(share).toBeLessThan(1.25)
    expect(latencies.count).toBe(messages)
  })

  it('sends each message when it is due, however seldom that is', async () => {
    const echo = await target()
    const { latencies } = await load(echo.url, { rate: 4, connections: 1, duration: 1.6 })
    expect(latencies.count).toBeGreaterThan(3)
    // Half of the time from one to the next.
    expect(latencies.percentile(50)).toBeLessThan(125_000)
  })

  it('tells what had no answer at the end, and for how long', async () => {
    const echo = await target({
      message: (socket, data) => echo.messages <= 20 && socket.send(data),
    })
    const { messages, unanswered, oldestUnansweredUs } = await load(echo.url, { rate: 100, duration: 1 })
    expect(messages).toBe(20)
    expect(unanswered).toBeGreaterThan(60)
    expect(oldestUnansweredUs).toBeGreaterThan(500_000)
  })
})

it('ends early, and leaves nothing open', async () => {
  const echo = await target()
  const stop = new AbortController()
  const { seconds, messages } = await runLoad(
    resolveLoadOptions(echo.url, { connections: 3, duration: 60 }),
    {
      onBegin: () => setTimeout(() => stop.abort(), 100),
      stop: stop.signal,
    },
  )
  expect(seconds).toBeLessThan(10)
  expect(messages).toBeGreaterThan(0)
  await expect.poll(() => echo.connected).toBe(0)
})

it('tells each second', async () => {
  const { url } = await target()
  const seconds: number[] = []
  const { perSecond } = await runLoad(resolveLoadOptions(url, { connections: 1, duration: 2.1 }), {
    onSecond: messages => seconds.push(messages),
  })
  expect(perSecond).toEqual(seconds)
  expect(seconds.length).toBe(2)
  expect(Math.min(...seconds)).toBeGreaterThan(0)
})
