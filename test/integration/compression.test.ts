// permessage-deflate against clients that others wrote, on the built package.
import { once } from 'node:events'
import { WebSocket as UndiciWebSocket } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ClientOptions, type PerMessageDeflateOptions, WebSocket } from 'ws'
import { Random } from '../support/random.js'
import { ServerProcess } from '../support/server-process.js'
import { soon } from '../support/until.js'

const FLAGS = [false, true]
const random = new Random()

/** Short and long, text and bytes, what can be compressed and what can not. */
const MESSAGES: (string | Buffer)[] = [
  'Hello',
  'Hello',
  '',
  Buffer.alloc(0),
  'añ€😀'.repeat(10),
  'añ€😀'.repeat(30_000),
  JSON.stringify(Array.from({ length: 500 }, (_, id) => ({ id, name: `name ${id % 7}` }))),
  random.bytes(3),
  random.bytes(100_000),
  Buffer.alloc(1_000_000),
  'Hello',
]

async function connect(port: number, options: ClientOptions): Promise<{ client: WebSocket; agreed: string }> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, options)
  const [[response]] = await soon(
    'the client is open',
    Promise.all([once(client, 'upgrade'), once(client, 'open')]),
  )
  return { client, agreed: String(response.headers['sec-websocket-extensions']) }
}

/** Sends each message and expects it back, one after the other, then all at once. */
async function echo(client: WebSocket): Promise<void> {
  for (const message of MESSAGES) {
    client.send(message)
    const [data, isBinary] = await soon(`${message.length} bytes are back`, once(client, 'message'))
    expect([(data as Buffer).equals(Buffer.from(message)), isBinary]).toEqual([
      true,
      typeof message !== 'string',
    ])
  }
  const received: Buffer[] = []
  const all = new Promise<void>(resolve => {
    client.on('message', data => {
      received.push(data as Buffer)
      if (received.length === MESSAGES.length) resolve()
    })
  })
  for (const message of MESSAGES) client.send(message)
  await soon('all are back', all)
  expect(received.map((data, index) => data.equals(Buffer.from(MESSAGES[index])))).toEqual(
    MESSAGES.map(() => true),
  )
  const closed = once(client, 'close')
  client.close(1000)
  expect((await soon('it is closed', closed))[0]).toBe(1000)
}

describe(`a server that compresses everything (SHARDWS_SEED=${random.seed})`, () => {
  let server: ServerProcess
  beforeAll(async () => {
    server = await ServerProcess.start({ workers: 1, perMessageDeflate: { threshold: 0, maxContexts: 2 } })
  })
  afterAll(() => server.finish())

  const combinations = FLAGS.flatMap(serverNoContextTakeover =>
    FLAGS.flatMap(clientNoContextTakeover =>
      [undefined, 9, 12].flatMap(serverMaxWindowBits =>
        [undefined, 9, 12].map(
          (clientMaxWindowBits): PerMessageDeflateOptions =>
            Object.assign(
              { threshold: 0, serverNoContextTakeover, clientNoContextTakeover },
              serverMaxWindowBits === undefined ? {} : { serverMaxWindowBits },
              clientMaxWindowBits === undefined ? {} : { clientMaxWindowBits },
            ),
        ),
      ),
    ),
  )

  test.each(combinations.map(options => [JSON.stringify(options), options] as const))(
    'ws with %s',
    async (_, options) => {
      const { client, agreed } = await connect(server.port, { perMessageDeflate: options })
      expect(agreed.includes('server_no_context_takeover')).toBe(options.serverNoContextTakeover)
      expect(agreed.includes('client_no_context_takeover')).toBe(options.clientNoContextTakeover)
      expect(agreed).toMatch(/^permessage-deflate(;|$)/)
      await echo(client)
    },
  )

  test('ws that does not compress', async () => {
    const { client, agreed } = await connect(server.port, { perMessageDeflate: false })
    expect(agreed).toBe('undefined')
    await echo(client)
  })

  test('undici', async () => {
    const client = new UndiciWebSocket(`ws://127.0.0.1:${server.port}/`)
    await soon('it is open', new Promise(resolve => client.addEventListener('open', resolve)))
    expect(client.extensions).toMatch(/^permessage-deflate/)
    for (const text of ['Hello', 'Hello', 'añ€😀'.repeat(3000)]) {
      const back = new Promise<unknown>(resolve => {
        client.addEventListener('message', event => resolve(event.data), { once: true })
      })
      client.send(text)
      expect(await soon('it is back', back)).toBe(text)
    }
    client.close()
  })

  test('fewer bytes are on the wire', async () => {
    const { client } = await connect(server.port, { perMessageDeflate: { threshold: 0 } })
    const before = await server.stats()
    const text = JSON.stringify(Array.from({ length: 500 }, (_, id) => ({ id })))
    for (let i = 0; i < 10; i++) {
      client.send(text)
      await soon('it is back', once(client, 'message'))
    }
    const after = await server.stats()
    expect(after.total.messagesOut - before.total.messagesOut).toBe(10)
    // The first takes some 1100 bytes, each after it fewer than a hundred.
    expect(after.total.bytesOut - before.total.bytesOut).toBeLessThan(text.length / 2)
    client.close()
  })
})

describe('a server with wishes of its own', () => {
  test.each<[PerMessageDeflateOptions, string]>([
    [{ serverNoContextTakeover: true }, 'permessage-deflate; server_no_context_takeover'],
    [{ clientNoContextTakeover: true }, 'permessage-deflate; client_no_context_takeover'],
    [
      { serverMaxWindowBits: 10, clientMaxWindowBits: 11 },
      'permessage-deflate; server_max_window_bits=10; client_max_window_bits=11',
    ],
    [{ serverMaxWindowBits: 8 }, 'permessage-deflate; server_max_window_bits=8'],
  ])('%j', async (wishes, expected) => {
    const server = await ServerProcess.start({
      workers: 1,
      perMessageDeflate: { threshold: 0, ...(wishes as object) },
    })
    try {
      const { client, agreed } = await connect(server.port, { perMessageDeflate: { threshold: 0 } })
      expect(agreed).toBe(expected)
      await echo(client)
    } finally {
      await server.finish()
    }
  })
})

test('1000 connections that compress take no compressor each', async () => {
  const server = await ServerProcess.start({ workers: 1, perMessageDeflate: { threshold: 0 } })
  try {
    const before = await server.memory()
    const clients: WebSocket[] = []
    const line = JSON.stringify(Array.from({ length: 20 }, (_, id) => ({ id, text: 'some text' })))
    for (let i = 0; i < 1000; i += 50) {
      const some = await Promise.all(Array.from({ length: 50 }, () => connect(server.port, {})))
      for (const { client } of some) {
        client.send(line)
        await soon('it is back', once(client, 'message'))
        clients.push(client)
      }
    }
    const after = await server.memory()
    // 128 compressors of 256 KiB, 64 inflaters of 44 KiB, and what 1000 connections take: not 300 MB.
    expect(after.rss - before.rss).toBeLessThan(100 * 2 ** 20)
    const closed = Promise.all(clients.map(client => once(client, 'close')))
    for (const client of clients) client.terminate()
    await soon('all are closed', closed)
  } finally {
    await server.finish()
  }
})
