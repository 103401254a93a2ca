// Opening requests that take their time, or their room.
import { expect, test } from 'vitest'
import { connectMany, many, pour } from '../../support/attackers.js'
import { memoryBound } from '../../support/memory-bound.js'
import { scrape } from '../../support/metrics.js'
import { type Stage, setStage } from '../../support/stage.js'
import { openingRequest, WireClient } from '../../support/wire-client.js'

const OPTIONS = { handshakeTimeoutMs: 1000, closeTimeoutMs: 500, metricsPath: '/metrics' }
/** For those who are not slow, on however busy a machine. */
const PATIENT = { ...OPTIONS, handshakeTimeoutMs: 60_000 }
const ATTACKERS = 400

const hasty = setStage(OPTIONS)
const patient = setStage(PATIENT)

/** Opening requests refused so far. */
async function refusals({ server }: Stage, reason: string): Promise<number> {
  const samples = await scrape(server.port)
  return samples.get(`shardws_handshakes_refused_total{reason="${reason}"}`) ?? Number.NaN
}

/** Takes the server's answer, which must be a refusal and the end. */
async function refusal(client: WireClient): Promise<number> {
  const { status } = await client.response()
  await client.ended()
  client.end()
  return status
}

test('hundreds of clients that connect and say nothing: 408', async () => {
  const before = await refusals(hasty, 'timeout')
  await hasty.bystanders.during(memoryBound(OPTIONS, ATTACKERS), async () => {
    const clients = await connectMany(hasty.server.port, ATTACKERS)
    for (const client of clients) expect(await refusal(client)).toBe(408)
  })
  expect(await refusals(hasty, 'timeout')).toBe(before + ATTACKERS)
})

test('hundreds of opening requests, a byte at a time: 408', async () => {
  const before = await refusals(hasty, 'timeout')
  await hasty.bystanders.during(memoryBound(OPTIONS, ATTACKERS, 'head'), async () => {
    const clients = await connectMany(hasty.server.port, ATTACKERS)
    const head = openingRequest('/', ['X-Long: '.padEnd(4000, 'x')])
    let at = 0
    const timer = setInterval(() => {
      for (const client of clients) client.send(head[at] ?? '')
      at++
    }, 50)
    for (const client of clients) expect(await refusal(client)).toBe(408)
    clearInterval(timer)
  })
  expect(await refusals(hasty, 'timeout')).toBe(before + ATTACKERS)
})

test('hundreds of heads of a mebibyte: 431', async () => {
  const before = await refusals(patient, 'head_too_long')
  const head = openingRequest('/', ['X-Long: '.padEnd(2 ** 20, 'x')])
  await patient.bystanders.during(memoryBound(OPTIONS, ATTACKERS, 'head'), async () => {
    await many(ATTACKERS, async () => {
      const client = await WireClient.connect(patient.server.port)
      client.send(head)
      expect(await refusal(client)).toBe(431)
    })
  })
  expect(await refusals(patient, 'head_too_long')).toBe(before + ATTACKERS)
})

test.each([
  ['a line', 'head_too_long', 'x'.repeat(60_000)],
  ['a request line', 'head_too_long', 'x'.repeat(60_000)],
  ['lines', 'too_many_lines', 'X: y\r\n'.repeat(10_000)],
])('%s without end: 431 (%s), and cut after closeTimeoutMs', async (what, reason, bytes) => {
  const attackers = 40
  const before = await refusals(patient, reason)
  const start = what === 'a request line' ? 'GET /' : 'GET / HTTP/1.1\r\nHost: a\r\nX: '
  const more = Buffer.from(bytes)
  await patient.bystanders.during(memoryBound(OPTIONS, attackers, 'head'), async () => {
    await many(attackers, async () => {
      const client = await WireClient.connect(patient.server.port)
      client.send(start)
      // It goes on, whatever it is answered, until it is cut: a reset, which may take the answer with it.
      await pour(client, () => more)
    })
  })
  expect(await refusals(patient, reason)).toBe(before + attackers)
})

test('hundreds of requests that never get as far as their upgrade hook', async () => {
  const before = await refusals(hasty, 'timeout')
  const attackers = 200
  // What comes before the hook has decided is kept, up to 64 KiB and what one read brings more.
  const early = Buffer.concat([Buffer.from(openingRequest('/?wait=60000')), Buffer.alloc(2 ** 20)])
  await hasty.bystanders.during(memoryBound(OPTIONS, attackers, 'head', 'held'), async () => {
    const clients = await many(attackers, async () => {
      const client = await WireClient.connect(hasty.server.port)
      client.send(early)
      return client
    })
    for (const client of clients) expect((await client.response()).status).toBe(408)
    for (const client of clients) client.reset()
  })
  expect(await refusals(hasty, 'timeout')).toBe(before + attackers)
})
