import { once } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import type { UpgradeDecision, UpgradeRequest } from '../../../src/app.js'
import type { Socket } from '../../../src/socket.js'
import { falsePromise } from '../../support/false-promise.js'
import { text } from '../../support/frames.js'
import { MemoryShard, type TestApp, turnEnd } from '../../support/memory-shard.js'
import type { MemoryTransport } from '../../support/memory-transport.js'
import { close, describeServerFrames, ping } from '../../support/peer-frames.js'
import { head } from '../handshake/opening.js'

const HEAD = Buffer.from(head())

/** What came: the status line and, after the head, frames of a 101 or the body of anything else. */
function responseOf(transport: MemoryTransport): { status: number; head: string; rest: string[] } {
  const sent = transport.takeSent()
  const end = sent.indexOf('\r\n\r\n')
  const responseHead = sent.toString('latin1', 0, end)
  const status = Number(responseHead.slice(9, 12))
  const rest = sent.subarray(end + 4)
  return { status, head: responseHead, rest: status === 101 ? describeServerFrames(rest) : [rest.toString()] }
}

/** A shard that writes down what happens. Messages are echoed. */
function setUp(app: TestApp = {}, options = {}, slots = 8): { shard: MemoryShard; seen: string[] } {
  const seen: string[] = []
  const shard = new MemoryShard(
    {
      open: socket => void seen.push(`open ${String(socket.data)} ${socket.protocol}`.trim()),
      message: (socket, data) => {
        seen.push(`message ${String(data)}`)
        socket.send(data)
      },
      close: (_, code) => void seen.push(`close ${code}`),
      error: (error, socket) => void seen.push(`error ${String(error)} ${socket === undefined}`),
      ...app,
    },
    options,
    slots,
  )
  return { shard, seen }
}

/** An upgrade hook that is pending until the test decides. */
function pendingHook(): {
  upgrade: (request: UpgradeRequest) => Promise<UpgradeDecision<unknown>>
  requests: UpgradeRequest[]
  decide: (decision?: UpgradeDecision<unknown>) => Promise<void>
  fail: (error: unknown) => Promise<void>
} {
  let resolve: (decision: UpgradeDecision<unknown>) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<UpgradeDecision<unknown>>((...settle) => {
    ;[resolve, reject] = settle
  })
  const requests: UpgradeRequest[] = []
  return {
    requests,
    upgrade: request => {
      requests.push(request)
      return promise
    },
    decide: decision => {
      resolve(decision)
      return turnEnd()
    },
    fail: error => {
      reject(error)
      return turnEnd()
    },
  }
}

describe('the opening handshake', () => {
  it('takes the head and what follows it in any split', async () => {
    const bytes = Buffer.concat([HEAD, text('one'), ping('two'), text('thréé'), close(1000)])
    const splits = [
      [bytes.length],
      [1],
      [7],
      ...Array.from({ length: bytes.length - 1 }, (_, i) => [i + 1, 9999]),
    ]
    for (const sizes of splits) {
      const { shard, seen } = setUp()
      const { transport } = shard.accept()
      transport.feed(bytes, ...sizes)
      await turnEnd()
      const response = responseOf(transport)
      expect(response.status).toBe(101)
      expect(response.head).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
      expect(response.rest).toEqual(['text one', 'pong two', 'text thréé', 'close 1000'])
      transport.feedEnd()
      transport.pump()
      expect(seen).toEqual(['open undefined', 'message one', 'message thréé', 'close 1000'])
      expect(shard.counter('BYTES_IN')).toBe(bytes.length)
      expect([shard.counter('OPENED'), shard.counter('CLOSED'), shard.counter('REFUSED')]).toEqual([1, 1, 0])
    }
  })

  it('sends the response and the answers to early frames in one write', async () => {
    const { shard } = setUp({ open: socket => void socket.send('welcome') })
    const { transport } = shard.accept()
    transport.feed(Buffer.concat([HEAD, text('hello')]))
    await turnEnd()
    expect(transport.calls).toHaveLength(1)
    expect(responseOf(transport).rest).toEqual(['text welcome', 'text hello'])
  })

  it('gives the application the facts', async () => {
    const requests: UpgradeRequest[] = []
    const sockets: Socket<unknown>[] = []
    const { shard } = setUp(
      {
        upgrade: request => {
          requests.push(request)
          return { data: 'mine', headers: { 'Set-Cookie': 'a=b' }, protocol: 'two' }
        },
        open: socket => void sockets.push(socket),
      },
      { protocols: ['one'] },
    )
    const { transport } = shard.accept()
    transport.feed(Buffer.from(head({ add: ['Sec-WebSocket-Protocol: one, two'] })))
    await turnEnd()
    const [request] = requests
    expect(request.url).toBe('/chat?room=1')
    expect(request.headers.host).toBe('example.com')
    expect(request.protocols).toEqual(['one', 'two'])
    expect([request.remoteAddress, request.remotePort]).toEqual(['192.0.2.1', 4242])
    expect(request.signal.aborted).toBe(false)
    expect(sockets[0].data).toBe('mine')
    expect(sockets[0].protocol).toBe('two')
    expect(sockets[0].request.url).toBe('/chat?room=1')
    const response = responseOf(transport)
    expect(response.head).toContain('Set-Cookie: a=b')
    expect(response.head).toContain('Sec-WebSocket-Protocol: two')
  })

  it('takes headers of any size with it, without touching what is beside the arena', async () => {
    const { shard } = setUp({ upgrade: () => ({ headers: { 'X-Large': 'x'.repeat(300_000) } }) })
    const other = shard.connect()
    other.transport.feed(text('half', { fin: false }))
    const { transport } = shard.accept()
    transport.feed(Buffer.concat([HEAD, text('hello')]))
    await turnEnd()
    const response = responseOf(transport)
    expect(response.head).toContain('x'.repeat(300_000))
    expect(response.rest).toEqual(['text hello'])
    other.transport.feed(text('wrong'))
    await turnEnd()
    expect(describeServerFrames(other.transport.sent)[0]).toMatch(/^close 1002/)
  })
})

describe('a refusal', () => {
  const table: [name: string, bytes: string, app: TestApp, options: object, status: number][] = [
    ['of garbage', 'NOT HTTP\r\n\r\n', {}, {}, 400],
    ['of a bad key', head({ with: { 'Sec-WebSocket-Key': 'short' } }), {}, {}, 400],
    ['of another version', head({ with: { 'Sec-WebSocket-Version': '8' } }), {}, {}, 426],
    ['of POST', head({ line: 'POST / HTTP/1.1' }), {}, {}, 405],
    ['of another path', head(), {}, { path: '/else' }, 404],
    ['of a long head', head({ add: [`X: ${'x'.repeat(20_000)}`] }), {}, {}, 431],
    ['by the hook', head(), { upgrade: () => ({ status: 401, body: 'who?' }) }, {}, 401],
    ['by an async hook', head(), { upgrade: async () => ({ status: 401, body: 'who?' }) }, {}, 401],
    [
      'with a body longer than the arena',
      head(),
      { upgrade: () => ({ status: 403, body: 'no '.repeat(200_000) }) },
      {},
      403,
    ],
    ['since the hook threw', head(), { upgrade: () => expect.unreachable() }, {}, 500],
    ['since the hook rejected', head(), { upgrade: () => Promise.reject(new Error('x')) }, {}, 500],
    ['with a status that is none', head(), { upgrade: () => ({ status: 200 }) }, {}, 500],
    ['with headers that are none', head(), { upgrade: () => ({ headers: { 'a b': 'c' } }) }, {}, 500],
    ['with a line break', head(), { upgrade: () => ({ status: 400, headers: { a: 'b\r\nc: d' } }) }, {}, 500],
    ['since the protocol was not offered', head(), { upgrade: () => ({ protocol: 'x' }) }, {}, 500],
    ['since the hook returned false', head(), { upgrade: () => false as never }, {}, 500],
    ['since the hook returned null', head(), { upgrade: () => null as never }, {}, 500],
    ['since the hook returned true', head(), { upgrade: async () => true as never }, {}, 500],
    [
      'since what it returned is no promise after all',
      head(),
      {
        upgrade: () =>
          falsePromise(() => {
            throw new Error('x')
          }),
      },
      {},
      500,
    ],
  ]

  it.each(table)('%s', async (_, bytes, app, options, status) => {
    const { shard, seen } = setUp(app, options)
    const { transport } = shard.accept()
    transport.feed(Buffer.concat([Buffer.from(bytes), text('never')]), 50)
    await turnEnd()
    await turnEnd()
    const response = responseOf(transport)
    expect(response.status).toBe(status)
    expect(response.head).toMatch(/Connection: (Upgrade, )?close/)
    expect(response.head).toContain(`Content-Length: ${Buffer.byteLength(response.rest[0])}`)
    expect(transport.isEnded).toBe(true)
    // What still comes is read, so that no reset destroys the response.
    expect(transport.isPaused).toBe(false)
    transport.feed(Buffer.alloc(200_000))
    expect(transport.isDestroyed).toBe(false)
    transport.feedEnd()
    expect(transport.isClosed).toBe(true)
    expect(seen.filter(line => !line.startsWith('error'))).toEqual([])
    expect(seen.some(line => line.startsWith('error'))).toBe(status === 500)
    expect([shard.counter('OPENED'), shard.counter('REFUSED')]).toEqual([0, 1])
    expect(shard.environment.openings.size).toBe(0)
  })

  it('is cut after closeTimeoutMs when the client does not end', async () => {
    const { shard } = setUp()
    const { transport } = shard.accept()
    transport.feed(Buffer.from('BAD\r\n'))
    await turnEnd()
    shard.pass(4990)
    transport.feed(Buffer.from('more'))
    expect(transport.isDestroyed).toBe(false)
    shard.pass(40)
    expect(transport.isDestroyed).toBe(true)
  })

  it('goes out slowly to a client that reads slowly', async () => {
    const { shard } = setUp({ upgrade: () => ({ status: 403, body: 'x'.repeat(1000) }) })
    const { transport } = shard.accept()
    transport.capacity = 10
    transport.feed(HEAD)
    await turnEnd()
    expect(transport.isEnded).toBe(false)
    transport.take()
    expect(transport.isEnded).toBe(true)
    expect(responseOf(transport).rest).toEqual(['x'.repeat(1000)])
  })

  it('is in the log when there is no error hook', async () => {
    const { shard } = setUp({
      upgrade: () => {
        throw new Error('on purpose')
      },
      error: undefined as never,
    })
    const { transport } = shard.accept()
    transport.feed(HEAD)
    await turnEnd()
    expect(responseOf(transport).status).toBe(500)
    expect(shard.log).toContain('error the upgrade hook failed: Error: on purpose')
  })

  it('is 503 when the codec has no slot, and the next one is served again', async () => {
    const { shard } = setUp({}, {}, 1)
    const first = shard.accept()
    first.transport.feed(HEAD)
    const second = shard.accept()
    second.transport.feed(HEAD)
    await turnEnd()
    expect(responseOf(first.transport).status).toBe(101)
    expect(responseOf(second.transport).status).toBe(503)
    first.transport.reset()
    const third = shard.accept()
    third.transport.feed(HEAD)
    await turnEnd()
    expect(responseOf(third.transport).status).toBe(101)
  })
})

describe('an upgrade hook that takes its time', () => {
  it('keeps early frames and their order', async () => {
    const hook = pendingHook()
    const { shard, seen } = setUp({ upgrade: hook.upgrade })
    const { transport } = shard.accept()
    transport.feed(Buffer.concat([HEAD, text('one')]))
    transport.feed(text('two'), 3)
    await turnEnd()
    expect(seen).toEqual([])
    expect(shard.counter('EARLY_HELD')).toBe(0)
    expect(transport.calls).toEqual([])
    await hook.decide({ data: 7 })
    await turnEnd()
    expect(seen).toEqual(['open 7', 'message one', 'message two'])
    expect(responseOf(transport).rest).toEqual(['text one', 'text two'])
    transport.feed(text('three'))
    expect(seen.at(-1)).toBe('message three')
  })

  it('keeps no more than 64 KiB and a read, then reading stands still until it has decided', async () => {
    const hook = pendingHook()
    const { shard, seen } = setUp({ upgrade: hook.upgrade })
    const { transport } = shard.accept()
    transport.feed(HEAD)
    for (let i = 0; i < 100; i++) transport.feed(text(`${i}${'.'.repeat(2000)}`))
    expect(transport.isPaused).toBe(true)
    expect(shard.counter('BYTES_IN')).toBeLessThan(100_000)
    expect(shard.counter('EARLY_HELD')).toBe(1)
    await hook.decide()
    transport.pump()
    expect(seen).toHaveLength(101)
    expect(seen.map(line => /\d+/.exec(line)?.[0]).slice(1)).toEqual(
      Array.from({ length: 100 }, (_, i) => `${i}`),
    )
  })

  it('does not undo a pause that the application makes in open', async () => {
    const hook = pendingHook()
    const sockets: Socket<unknown>[] = []
    const { shard, seen } = setUp({
      upgrade: hook.upgrade,
      open: socket => {
        sockets.push(socket)
        socket.pause()
      },
    })
    const { transport } = shard.accept()
    transport.feed(HEAD)
    for (let i = 0; i < 100; i++) transport.feed(text('.'.repeat(2000)))
    transport.feedEnd()
    await hook.decide()
    transport.pump()
    expect(transport.isPaused).toBe(true)
    expect(seen).toEqual([])
    sockets[0].resume()
    await turnEnd()
    transport.pump()
    expect(seen).toHaveLength(100)
    await turnEnd()
    transport.pump()
    expect(responseOf(transport).rest).toHaveLength(100)
    expect(seen.at(-1)).toBe('close 1006')
  })

  it('and a FIN meanwhile: the early frames are answered, then it ends', async () => {
    for (const pauses of [false, true]) {
      const hook = pendingHook()
      const { shard, seen } = setUp({
        upgrade: hook.upgrade,
        open: socket => {
          if (!pauses) return
          socket.pause()
          setImmediate(() => socket.resume())
        },
      })
      const { transport } = shard.accept()
      transport.feed(Buffer.concat([HEAD, text('question')]))
      transport.feedEnd()
      await hook.decide()
      for (let i = 0; i < 4; i++) await turnEnd()
      expect(responseOf(transport).rest).toEqual(['text question'])
      transport.pump()
      expect(seen).toEqual(['message question', 'close 1006'])
    }
  })

  it.each(['signal looked at before', 'signal looked at after'])(
    'and a client that goes away: %s',
    async when => {
      const hook = pendingHook()
      const { shard, seen } = setUp({ upgrade: hook.upgrade })
      const { transport } = shard.accept()
      transport.feed(HEAD)
      const [request] = hook.requests
      const listener = vi.fn<() => void>()
      if (when.endsWith('before')) request.signal.addEventListener('abort', listener)
      transport.reset()
      expect(request.signal.aborted).toBe(true)
      expect(listener).toHaveBeenCalledTimes(when.endsWith('before') ? 1 : 0)
      await hook.decide()
      expect(seen).toEqual([])
      expect(transport.calls).toEqual([])
      expect(shard.codec.acquire('server', 1, 1)).toBe(0)
      expect(shard.environment.openings.size).toBe(0)
    },
  )

  it('too long: 408, its signal is aborted, and its decision is nothing any more', async () => {
    for (const late of ['decides', 'fails'] as const) {
      const hook = pendingHook()
      const { shard, seen } = setUp({ upgrade: hook.upgrade })
      const { transport } = shard.accept()
      shard.pass(6000)
      transport.feed(HEAD)
      for (let i = 0; i < 40; i++) transport.feed(text('.'.repeat(2000)))
      shard.pass(3990)
      expect(hook.requests[0].signal.aborted).toBe(false)
      shard.pass(30)
      expect(hook.requests[0].signal.aborted).toBe(true)
      await turnEnd()
      expect(responseOf(transport).status).toBe(408)
      expect(transport.isPaused).toBe(false)
      if (late === 'decides') await hook.decide()
      else await hook.fail(new Error('late'))
      transport.feedEnd()
      expect(transport.isClosed).toBe(true)
      expect(seen).toEqual([])
    }
  })

  it('while the shard begins to stop: 503', async () => {
    const hook = pendingHook()
    const { shard, seen } = setUp({ upgrade: hook.upgrade })
    const { transport } = shard.accept()
    transport.feed(HEAD)
    shard.environment.stopping = true
    await hook.decide()
    await turnEnd()
    expect(responseOf(transport).status).toBe(503)
    expect(seen).toEqual([])
  })
})

describe('a client that does not get to the point', () => {
  it('gets 408 after handshakeTimeoutMs, however often it sends a byte', async () => {
    const { shard } = setUp()
    const [silent, slow] = [shard.accept(), shard.accept()]
    for (let i = 0; i < 99; i++) {
      shard.pass(100)
      slow.transport.feed(HEAD.subarray(i, i + 1))
    }
    await turnEnd()
    expect(slow.transport.sent).toHaveLength(0)
    shard.pass(130)
    await turnEnd()
    for (const { transport } of [silent, slow]) {
      expect(responseOf(transport).status).toBe(408)
      expect(transport.isEnded).toBe(true)
    }
  })

  it('is ended at its FIN without a response', () => {
    for (const bytes of [Buffer.alloc(0), HEAD.subarray(0, 30)]) {
      const { shard } = setUp()
      const { transport } = shard.accept()
      transport.feed(bytes)
      transport.feedEnd()
      expect(transport.isClosed).toBe(true)
      expect(transport.sent).toHaveLength(0)
      expect(shard.environment.openings.size).toBe(0)
    }
  })

  it('is not waited for when the shard stops, but one that has begun to ask is answered', async () => {
    const { shard } = setUp()
    const [silent, asking] = [shard.accept(), shard.accept()]
    asking.transport.feed(HEAD, 20)
    const third = shard.accept()
    third.transport.feed(HEAD.subarray(0, 20))
    shard.environment.stopping = true
    for (const opening of shard.environment.openings) opening.stop()
    expect(silent.transport.isDestroyed).toBe(true)
    expect(third.transport.isDestroyed).toBe(false)
    third.transport.feed(HEAD.subarray(20))
    await turnEnd()
    expect(responseOf(asking.transport).status).toBe(101)
    expect(responseOf(third.transport).status).toBe(503)
  })
})

describe('a request that is no upgrade', () => {
  it('is given to HTTP with all its bytes, in any split', async () => {
    const bytes = Buffer.from('POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello')
    for (const size of [bytes.length, 1, 10]) {
      const { shard } = setUp()
      const { transport } = shard.accept()
      const headEnd = bytes.indexOf('\r\n\r\n') + 4
      transport.feed(bytes.subarray(0, size === bytes.length ? size : headEnd), size)
      expect(transport.detached).toBe(shard.http[0])
      const [given] = (await once(shard.http[0], 'data')) as [Buffer]
      expect(given.toString()).toBe(bytes.toString('latin1', 0, size === bytes.length ? size : headEnd))
      expect(shard.environment.openings.size).toBe(0)
      shard.pass(60_000, 1000)
      expect(transport.isDestroyed).toBe(false)
    }
  })
})
