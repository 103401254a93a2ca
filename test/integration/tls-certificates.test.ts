// Which certificate is shown to whom, whose is asked for, and the sessions that are resumed with them.
import { randomBytes } from 'node:crypto'
import type { ConnectionOptions } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import { Authority, type Certificate } from '../support/certificates.js'
import {
  ada,
  authority,
  Client,
  failure,
  localhost,
  portOf,
  serveHere,
  server,
  setUpTls,
  start,
} from '../support/tls-server.js'
import { until } from '../support/until.js'

setUpTls()

describe('sessions', () => {
  /** A client, the shard that it came to, and its session. */
  async function visit(port: number, version: 'TLSv1.2' | 'TLSv1.3', options: ConnectionOptions = {}) {
    const client = await Client.open(port, { minVersion: version, maxVersion: version, ...options })
    const [shard, facts] = [await client.ask('!shard'), await client.facts()]
    return { client, shard, facts, session: client.session }
  }

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'of %s, from one shard, are resumed on another',
    async version => {
      const { port } = await start()
      const first = await visit(port, version)
      expect(first.facts.resumed).toBe(false)
      const resumedOn = new Set<string>()
      for (let i = 0; i < 4; i++) {
        const { shard, facts } = await visit(port, version, { session: first.session })
        expect(facts).toMatchObject({ version, resumed: true })
        resumedOn.add(shard)
      }
      expect(resumedOn).toEqual(new Set(['0', '1']))
    },
  )

  test('are resumed at another server that has the same ticketKeys, and at no other', async () => {
    const { key, cert } = localhost
    const ticketKeys = randomBytes(48)
    const [one, two, other] = [
      await serveHere({ tls: { key, cert, ticketKeys } }),
      await serveHere({ tls: { key, cert, ticketKeys } }),
      await serveHere({ tls: { key, cert } }),
    ]
    const { session } = await visit(portOf(one), 'TLSv1.3')
    expect((await visit(portOf(two), 'TLSv1.3', { session })).facts.resumed).toBe(true)
    expect((await visit(portOf(other), 'TLSv1.3', { session })).facts.resumed).toBe(false)
  })
})

describe('certificates by name', () => {
  test('a name, a name with a star, and for all others the default one', async () => {
    const [chat, any] = [authority.server('chat', 'chat.example'), authority.server('any', '*.any.example')]
    const { port } = await start(
      {},
      {
        sni: {
          'chat.example': { key: chat.key, cert: chat.cert },
          '*.any.example': { key: any.keyFile, cert: any.certFile },
        },
      },
    )
    const subject = async (servername: string): Promise<string> => {
      const client = await Client.open(port, { servername, checkServerIdentity: () => undefined })
      const facts = await client.facts()
      expect(facts.servername).toBe(servername === '' ? undefined : servername)
      return client.stream.getPeerCertificate().subject.CN as string
    }
    expect(await subject('chat.example')).toBe('chat.example')
    expect(await subject('CHAT.Example')).toBe('chat.example')
    expect(await subject('a.any.example')).toBe('*.any.example')
    expect(await subject('a.b.any.example')).toBe('localhost')
    expect(await subject('any.example')).toBe('localhost')
    expect(await subject('other.example')).toBe('localhost')
    expect(await subject('')).toBe('localhost')
  })

  test('clients check them: the right one is trusted, the default one is not', async () => {
    const chat = authority.server('chat', 'chat.example')
    const { port } = await start({}, { sni: { 'chat.example': { key: chat.key, cert: chat.cert } } })
    const client = await Client.open(port, { servername: 'chat.example' })
    expect(await client.ask('hello')).toBe('hello')
    expect(await failure(port, { servername: 'other.example' })).toMatch(/does not match/)
  })

  test('sessions of names are resumed on all shards, with client certificates too', async () => {
    const chat = authority.server('chat', 'chat.example')
    const { port } = await start(
      {},
      {
        sni: { 'chat.example': { key: chat.key, cert: chat.cert } },
        requestCert: true,
        ca: authority.root.cert,
      },
    )
    const options = { servername: 'chat.example', key: ada.key, cert: ada.cert }
    const first = await Client.open(port, options)
    expect(await first.facts()).toMatchObject({ resumed: false, authorized: true })
    const shards = new Set<string>()
    for (let i = 0; i < 4; i++) {
      const again = await Client.open(port, { ...options, session: first.session })
      expect(await again.facts()).toMatchObject({ resumed: true, authorized: true, certificate: 'CN=Ada' })
      shards.add(await again.ask('!shard'))
    }
    expect(shards.size).toBe(2)
  })
})

describe('client certificates', () => {
  let stranger: Certificate

  beforeAll(async () => {
    const other = await Authority.create('Another Authority')
    stranger = other.client('stranger', 'Stranger')
    await other.remove()
  })

  function rules(rejectUnauthorized: boolean) {
    return { requestCert: true, rejectUnauthorized, ca: authority.root.certFile }
  }

  test('a trusted one gets in, and upgrade sees whose it is', async () => {
    const { port } = await start({}, rules(true))
    const client = await Client.open(port, { key: ada.key, cert: ada.cert })
    const facts = await client.facts()
    expect(facts).toMatchObject({ authorized: true, certificate: 'CN=Ada' })
    expect(facts.authorizationError).toBeUndefined()
    await client.close()
    await server?.finish()
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'others do not, in %s, before anything is read',
    async version => {
      const echo = await start({}, rules(true))
      const only = { minVersion: version, maxVersion: version }
      expect(await failure(echo.port, only)).toMatch(
        /closed|certificate required|handshake failure|ECONNRESET/,
      )
      const { key, cert } = stranger
      expect(await failure(echo.port, { ...only, key, cert })).toMatch(/closed|disconnected|ECONNRESET|EPIPE/)
      await until('both are counted', async () => (await echo.stats()).total.tlsHandshakesFailed === 2)
      const { total } = await echo.stats()
      expect(total).toMatchObject({ connectionsTotal: 0, handshakesRefused: 0, bytesIn: 0 })
      expect(echo.output).toBe('')
      await echo.finish()
    },
  )

  test('with rejectUnauthorized: false the application decides', async () => {
    const { port } = await start({}, rules(false))
    const none = await (await Client.open(port)).facts()
    expect(none).toMatchObject({ authorized: false, authorizationError: 'UNABLE_TO_GET_ISSUER_CERT' })
    expect(none.certificate).toBeUndefined()
    const { key, cert } = stranger
    expect(await (await Client.open(port, { key, cert })).facts()).toMatchObject({
      authorized: false,
      authorizationError: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      certificate: 'CN=Stranger',
    })
    expect(await (await Client.open(port, ada)).facts()).toMatchObject({ authorized: true })
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a session of %s does not make a stranger trusted',
    async version => {
      const { port } = await start({}, rules(false))
      for (const own of [{}, { key: stranger.key, cert: stranger.cert }]) {
        const options = { ...own, minVersion: version, maxVersion: version }
        const first = await Client.open(port, options)
        expect(await first.facts()).toMatchObject({ resumed: false, authorized: false })
        const again = await Client.open(port, { ...options, session: first.session })
        expect(await again.facts()).toMatchObject({ resumed: true, authorized: false })
      }
    },
  )

  test('a session from before they were asked for is not resumed, whatever the ticketKeys', async () => {
    const { key, cert } = localhost
    const ticketKeys = randomBytes(48)
    const here = await serveHere({ tls: { key, cert, ticketKeys } })
    const client = await Client.open(portOf(here))
    await client.facts()
    const { session } = client
    here.reloadTls({ key, cert, ticketKeys, ...rules(false) })
    const again = await Client.open(portOf(here), { session })
    expect(await again.facts()).toMatchObject({ resumed: false, authorized: false })
    here.reloadTls({ key, cert, ticketKeys, ...rules(true) })
    expect(await failure(portOf(here), { session })).toMatch(/closed|certificate required|ECONNRESET/)
    expect(here.stats().total.connections).toBe(2)
  })
})
