// TLS handshakes that are none, stand still, or are begun anew.
import { once } from 'node:events'
import { connect } from 'node:tls'
import { afterAll, expect, test } from 'vitest'
import { many } from '../../support/attackers.js'
import { Authority } from '../../support/certificates.js'
import { clientHello } from '../../support/client-hello.js'
import { memoryBound } from '../../support/memory-bound.js'
import { setStage } from '../../support/stage.js'
import { soon } from '../../support/until.js'
import { openingRequest, WireClient } from '../../support/wire-client.js'

const OPTIONS = { handshakeTimeoutMs: 1500, closeTimeoutMs: 500 }
const ATTACKERS = 300

let authority: Authority
let hello: Buffer
const stage = setStage(async () => {
  authority = await Authority.create()
  hello = await clientHello()
  const { key, cert } = authority.server('localhost', 'localhost')
  return { options: { ...OPTIONS, tls: { key, cert } }, ca: authority.root.cert }
})
const plain = setStage(OPTIONS)

afterAll(() => authority.remove())

const bound = memoryBound({ ...OPTIONS, tls: { key: '', cert: '' } }, ATTACKERS)

async function failed(): Promise<number> {
  return (await stage.server.stats()).total.tlsHandshakesFailed
}

test('hundreds of TLS clients at the plain port: refused at once', async () => {
  const { handshakesRefused } = (await plain.server.stats()).total
  await plain.bystanders.during(memoryBound(OPTIONS, ATTACKERS), async () => {
    await many(ATTACKERS, async () => {
      const client = connect({ port: plain.server.port, host: '127.0.0.1', ca: authority.root.cert })
      const [error] = (await soon(
        'it fails',
        once(client, 'error').catch(reason => [reason]),
      )) as [Error]
      expect(error.message).toMatch(/wrong version number|EPROTO|packet length/)
      client.destroy()
    })
  })
  expect((await plain.server.stats()).total.handshakesRefused).toBe(handshakesRefused + ATTACKERS)
})

test('hundreds of plain clients at the TLS port: cut at once', async () => {
  const before = await failed()
  await stage.bystanders.during(bound, async () => {
    await many(ATTACKERS, async () => {
      const client = await WireClient.connect(stage.server.port)
      client.send(openingRequest())
      await client.ended()
      client.reset()
    })
  })
  expect(await failed()).toBe(before + ATTACKERS)
})

test('hundreds of handshakes that stop in the middle: cut after handshakeTimeoutMs', async () => {
  const before = await failed()
  await stage.bystanders.during(bound, async () => {
    const lengths = [1, 5, 100, hello.length - 1, hello.length]
    const clients = await many(ATTACKERS, async index => {
      const client = await WireClient.connect(stage.server.port)
      client.send(hello.subarray(0, lengths[index % lengths.length]))
      return client
    })
    for (const client of clients) {
      await client.ended()
      client.reset()
    }
  })
  expect(await failed()).toBe(before + ATTACKERS)
})

test('resets in the middle of hundreds of handshakes', async () => {
  const { socketsTotal } = (await stage.server.stats()).total
  await stage.bystanders.during(bound, async () => {
    await many(ATTACKERS, async index => {
      const client = await WireClient.connect(stage.server.port)
      await new Promise(resolve =>
        client.socket.write(hello.subarray(0, (index * 7) % hello.length), resolve),
      )
      client.reset()
    })
  })
  // Some may have gone before they were handed over; the last is the guest.
  const { total, refused } = await stage.server.stats()
  expect(total.socketsTotal + refused.handoff).toBe(socketsTotal + ATTACKERS + 1)
})

test('attempts to renegotiate (TLS 1.2): cut', async () => {
  const attackers = 20
  const before = (await stage.server.app()).codes[1006] ?? 0
  await stage.bystanders.during(bound, async () => {
    await many(attackers, async () => {
      const client = connect({
        port: stage.server.port,
        host: '127.0.0.1',
        ca: authority.root.cert,
        maxVersion: 'TLSv1.2',
      })
      client.on('error', () => {})
      const closed = new Promise<void>(resolve => client.once('close', () => resolve()))
      await soon('TLS is there', once(client, 'secureConnect'))
      client.write(openingRequest())
      await soon('the WebSocket opens', once(client, 'data'))
      client.renegotiate({}, () => {})
      await soon('it is cut', closed)
    })
  })
  expect((await stage.server.app()).codes[1006]).toBe(before + attackers + 1)
})
