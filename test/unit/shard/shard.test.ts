import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { compileCodec } from '../../../src/codec/module.js'
import { Counter, createPrimaryCounters, Ledger } from '../../../src/ledger.js'
import type { ConnectionOptions } from '../../../src/options.js'
import { resolveOptions } from '../../../src/serve-options.js'
import { type RunningShard, startShard } from '../../../src/shard/shard.js'
import { soon, until } from '../../support/until.js'
import { KEY, openingRequest, WireClient } from '../../support/wire-client.js'

let listener: Server | undefined

afterEach(() => {
  listener?.close()
  delete (globalThis as { seen?: unknown }).seen
})

/** What the application's module writes down. */
function seenLines(): string[] {
  const lines: string[] = []
  ;(globalThis as { seen?: string[] }).seen = lines
  return lines
}

const APP = `export default {
  start({ index, workers }) { seen.push(\`start \${index} of \${workers}\`) },
  open(socket) { seen.push('open ' + socket.id) },
  message(socket, data) { socket.send(data) },
  close(socket, code) { seen.push('close ' + code) },
  stop() { seen.push('stop') },
}`

/** A shard in this thread, and a listener that gives it all its sockets. */
async function start(app = APP, options: Partial<ConnectionOptions> = {}) {
  const ledger = new Ledger()
  const shard: RunningShard = await startShard({
    index: 1,
    workers: 3,
    generation: 0,
    app: `data:text/javascript,${encodeURIComponent(app)}`,
    options: { ...resolveOptions({}).connection, ...options },
    logLevel: 'silent',
    tls: undefined,
    clients: undefined,
    rates: undefined,
    logTo: 'text',
    codecModule: compileCodec(),
    ledger: ledger.memory,
    board: { primary: createPrimaryCounters(), workers: 1, shards: [ledger.counters] },
    metricsPath: undefined,
  })
  let admission = 0
  const adopt = (socket: Socket): void => shard.adoptSocket(socket, admission++)
  listener = createServer({ pauseOnConnect: true }, socket => adopt(socket))
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const counter = (name: keyof typeof Counter): number => ledger.counters[Counter[name]]
  return { shard, ledger, port, counter }
}

describe('a shard', () => {
  it('starts its application, serves, and gives the admission numbers back', async () => {
    const seen = seenLines()
    const { shard, ledger, port, counter } = await start()
    const client = await WireClient.open(port)
    expect(await client.ask('hello')).toBe('hello')
    client.end()
    expect(await client.ended()).toBe('fin')
    await until('the end', () => counter('ENDED') === 1)
    expect(ledger.takeReleased()).toBe(0)
    expect(ledger.takeReleased()).toBe(-1)
    expect(seen).toEqual(['start 1 of 3', 'open 1', 'close 1006'])
    await soon('the stop', shard.stop(1001, 10_000))
    expect(seen.at(-1)).toBe('stop')
  })

  it('passes on what its application throws at the start', async () => {
    await expect(start('export default { start() { throw new Error("no way") } }')).rejects.toThrow('no way')
    await expect(start('export default { async start() { throw new Error("no way") } }')).rejects.toThrow(
      'no way',
    )
  })

  it('counts a socket that ended on its way', async () => {
    seenLines()
    const { shard, ledger, counter } = await start()
    shard.adoptSocket({ _handle: null, destroy: () => {} } as unknown as Socket, 77)
    expect([counter('ADOPTED'), counter('ENDED'), ledger.takeReleased()]).toEqual([1, 1, 77])
    shard.adoptDescriptor(1_000_000, 78)
    expect([counter('ADOPTED'), counter('ENDED'), ledger.takeReleased()]).toEqual([2, 2, 78])
    expect(counter('HANDSHAKES_OVER')).toBe(2)
    await shard.stop(1001, 1000)
  })
})

describe('a shard that stops', () => {
  it('closes its connections, and is done as soon as they have ended', async () => {
    const seen = seenLines()
    const { shard, port } = await start()
    const client = await WireClient.open(port)
    const stopped = shard.stop(1012, 60_000)
    const frame = await client.frame()
    expect([frame.opcode, frame.payload.readUInt16BE()]).toEqual([8, 1012])
    client.send(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf4]))
    expect(await client.ended()).toBe('fin')
    client.end()
    await soon('the stop', stopped)
    expect(seen.slice(1)).toEqual(['open 1', 'close 1012', 'stop'])
  })

  it('does not wait for clients that have not asked for anything', async () => {
    seenLines()
    const { shard, port, counter } = await start()
    const client = await WireClient.connect(port)
    await until('it', () => counter('ADOPTED') === 1)
    await soon('the stop', shard.stop(1001, 60_000))
    expect(await client.ended()).toBe('fin')
  })

  it('cuts what does not end in time, and its close hooks come before stop', async () => {
    const seen = seenLines()
    const { shard, port, counter } = await start()
    const [silent, asking] = [await WireClient.open(port), await WireClient.connect(port)]
    asking.send(openingRequest().slice(0, 50))
    await until('it', () => counter('BYTES_IN') >= 50 && counter('ADOPTED') === 2)
    await soon('the stop', shard.stop(1001, 50))
    expect(seen).toEqual(['start 1 of 3', 'open 1', 'close 1006', 'stop'])
    await Promise.all([silent.ended(), asking.ended()])
    expect(counter('ENDED')).toBe(2)
  })

  it('refuses who asks now with 503', async () => {
    seenLines()
    const { shard, port, counter } = await start()
    const client = await WireClient.connect(port)
    const request = openingRequest()
    expect(request).toContain(KEY)
    client.send(request.slice(0, 50))
    await until('it', () => counter('BYTES_IN') === 50)
    const stopped = shard.stop(1001, 60_000)
    client.send(request.slice(50))
    expect((await client.response()).status).toBe(503)
    expect(await client.ended()).toBe('fin')
    client.end()
    await soon('the stop', stopped)
  })
})

describe('a shard that drains', () => {
  it('serves those that it has, and ends with the last', async () => {
    const seen = seenLines()
    const { shard, port } = await start()
    const [first, second] = [await WireClient.open(port), await WireClient.open(port)]
    let isOver = false
    const drained = shard.drain().then(() => {
      isOver = true
    })
    expect(await first.ask('hello')).toBe('hello')
    first.end()
    await first.ended()
    expect(await second.ask('still')).toBe('still')
    expect(isOver).toBe(false)
    second.end()
    await soon('the end', drained)
    expect(seen.slice(1)).toEqual(['open 1', 'open 2', 'close 1006', 'close 1006', 'stop'])
  })

  it('is done at once when it has none, and stops but once', async () => {
    const seen = seenLines()
    const { shard } = await start()
    await Promise.all([shard.drain(), shard.stop(1001, 1000), shard.stop(1001, 1000)])
    expect(seen).toEqual(['start 1 of 3', 'stop'])
  })

  it('has who has come and not asked yet answered before a gentle stop', async () => {
    const seen = seenLines()
    const { shard, port, counter } = await start()
    const client = await WireClient.connect(port)
    await until('it', () => counter('ADOPTED') === 1)
    void shard.drain()
    const stopped = shard.stop(1012, 60_000, 0, true)
    client.send(openingRequest())
    await client.handshake()
    const frame = await client.frame()
    expect([frame.opcode, frame.payload.readUInt16BE()]).toEqual([8, 1012])
    client.send(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf4]))
    expect(await client.ended()).toBe('fin')
    client.end()
    await soon('the stop', stopped)
    expect(seen.slice(1)).toEqual(['open 1', 'close 1012', 'stop'])
  })

  it('stops in the time of whoever is in more of a hurry', async () => {
    seenLines()
    const { shard, port } = await start()
    const clients = [await WireClient.open(port), await WireClient.open(port)]
    const slow = shard.stop(1012, 60_000, 60_000, true)
    await Promise.all([soon('the stop', shard.stop(1001, 50)), soon('the one before', slow)])
    expect(await Promise.all(clients.map(client => client.ended()))).toHaveLength(2)
  })
})
