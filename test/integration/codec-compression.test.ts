// Compressed messages between shardws/codec, with the streams of Node and of Chromium to compress, and servers that
// have negotiated it: ours, and `ws`.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, connect } from 'node:net'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as esbuild from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import type * as Codec from '../../src/codec/index.js'
import type * as Link from '../browser/compressed-link.mjs'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'
import { Chromium } from '../support/chromium.js'
import { PackedPackage } from '../support/packed-package.js'
import { ServerProcess } from '../support/server-process.js'
import { StaticServer } from '../support/static-server.js'
import { LIMIT_MS } from '../support/until.js'
import { openingRequest } from '../support/wire-client.js'

let project: PackedPackage
let api: typeof Codec

beforeAll(async () => {
  project = await PackedPackage.install()
  const codec = project.path('node_modules', 'shardws', 'dist', 'codec', 'index.js')
  api = (await import(pathToFileURL(codec).href)) as typeof Codec
  await esbuild.build({
    entryPoints: [fileURLToPath(new URL('../browser/compressed-link.mjs', import.meta.url))],
    outfile: project.path('link.mjs'),
    bundle: true,
    format: 'esm',
    alias: { 'shardws/codec': codec },
  })
  await writeFile(project.path('index.html'), '<!doctype html><title>shardws/codec</title>')
})

afterAll(() => project.remove())

/** Servers that echo. */
const servers: Record<string, () => Promise<{ port: number; close(): Promise<void> }>> = {
  async 'the server'() {
    const server = await ServerProcess.start({ workers: 1, perMessageDeflate: { threshold: 0 } })
    return { port: server.port, close: () => server.close({ timeoutMs: 0 }) }
  },

  async ws() {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 } })
    server.on('connection', socket => {
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    })
    await once(server, 'listening')
    return {
      port: (server.address() as AddressInfo).port,
      async close() {
        server.close()
        await once(server, 'close')
      },
    }
  },
}

/** Sends the frames, the last of which is a Close, after an opening handshake; resolves with the server's frames. */
async function exchange(port: number, frames: Uint8Array): Promise<Buffer> {
  const { checkDeflate, offerDeflate, parseExtensions, serializeExtensions } = api
  // CompressionStream begins anew with each message, whatever the server asks for.
  const offer = { serverNoContextTakeover: true }
  const header = serializeExtensions([offerDeflate(offer)])
  const socket = connect(port, '127.0.0.1')
  const received: Buffer[] = []
  const headOf = () => {
    const all = Buffer.concat(received)
    const end = all.indexOf('\r\n\r\n')
    return end < 0 ? undefined : { head: all.toString('latin1', 0, end), rest: all.subarray(end + 4) }
  }
  socket.write(openingRequest('/', [`Sec-WebSocket-Extensions: ${header}`]))
  const signal = AbortSignal.timeout(LIMIT_MS)
  const closed = once(socket, 'end', { signal })
  let isOpen = false
  socket.on('data', chunk => {
    received.push(chunk)
    if (isOpen || headOf() === undefined) return
    isOpen = true
    socket.write(frames)
  })
  await closed
  socket.destroy()
  const { head, rest } = headOf() ?? { head: '', rest: Buffer.alloc(0) }
  const answer = /^Sec-WebSocket-Extensions: (.*)$/im.exec(head)?.[1] ?? ''
  const agreement = checkDeflate(parseExtensions(answer) ?? [], offer)
  expect(agreement).toMatchObject({ serverNoContextTakeover: true, clientMaxWindowBits: 15 })
  return rest
}

/** How many messages the frames have, and how many of them are compressed. */
function countMessages(bytes: Uint8Array, role: Codec.Role): [messages: number, compressed: number] {
  const decoder = api.loadCodecSync().createDecoder({ role, deflate: true })
  const types = decoder.push(bytes).map(({ type }) => type)
  expect(types.at(-1)).toBe('close')
  return [types.length - 1, types.filter(type => type === 'compressed').length]
}

interface Client {
  outgoing(): Promise<string>
  incoming(wire: string): Promise<unknown>
}

async function assertSpeaks(client: Client, start: (typeof servers)[string], expected: { messages: number }) {
  const server = await start()
  try {
    const sent = Buffer.from(await client.outgoing(), 'base64')
    expect(countMessages(sent, 'server')).toEqual([expected.messages, expected.messages])
    const answered = await exchange(server.port, sent)
    const [messages, compressed] = countMessages(answered, 'client')
    expect(messages).toBe(expected.messages)
    // What would not get shorter may come as it is: four get much shorter.
    expect(compressed).toBeGreaterThanOrEqual(4)
    expect(await client.incoming(answered.toString('base64'))).toEqual(expected)
  } finally {
    await server.close()
  }
}

describe.each(Object.entries(servers))('with %s', (_, start) => {
  test('Node', async () => {
    const link = (await import(pathToFileURL(project.path('link.mjs')).href)) as typeof Link
    await assertSpeaks(link, start, link.expected)
  })
})

const chromium = chromiumPath()

describe('in a page', needs(chromium, counterparts.chromium.reason), () => {
  let browser: Chromium
  let pages: StaticServer

  beforeAll(async () => {
    browser = await Chromium.start(chromium ?? '')
    pages = await StaticServer.start({ '': project.directory })
    await browser.open(`${pages.url}/`)
  })

  afterAll(async () => {
    await browser.close()
    await pages.close()
  })

  test.each(Object.entries(servers))('with %s, Chromium', async (_, start) => {
    const call = (code: string) => browser.evaluate(`import('/link.mjs').then(link => link.${code})`)
    const client = {
      outgoing: () => call('outgoing()') as Promise<string>,
      incoming: (wire: string) => call(`incoming('${wire}')`),
    }
    await assertSpeaks(client, start, (await call('expected')) as { messages: number })
  })
})
