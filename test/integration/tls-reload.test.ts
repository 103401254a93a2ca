import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { Command } from '../command.js'
import { ServerProcess } from '../support/server-process.js'
import {
  authority,
  Client,
  closers,
  keep,
  localhost,
  renewed,
  serveHere,
  setUpTls,
  start,
} from '../support/tls-server.js'
import { soon, until } from '../support/until.js'

setUpTls()

describe('reload', () => {
  const nameOf = (client: Client): string => client.stream.getPeerCertificate().subjectaltname ?? ''

  test('new connections get the new certificate on every shard, the others go on', async () => {
    const echo = await start()
    const old = [await Client.open(echo.port), await Client.open(echo.port)]
    await echo.reloadTls({ key: renewed.key, cert: renewed.cert })
    for (let i = 0; i < 4; i++) {
      const client = await Client.open(echo.port)
      expect(nameOf(client)).toContain('renewed.example')
      expect(await client.ask('hello')).toBe('hello')
    }
    for (const client of old) {
      expect(await client.ask('still there')).toBe('still there')
      expect(nameOf(client)).not.toContain('renewed.example')
    }
  })

  test('a handshake that is under way ends with the old one', async () => {
    const echo = await start({ workers: 1 })
    const raw = connectTcp(echo.port, '127.0.0.1')
    closers.push(() => raw.destroy())
    await until('it is adopted', async () => (await echo.stats()).total.sockets === 1)
    await echo.reloadTls({ key: renewed.key, cert: renewed.cert })
    const stream = connect({ socket: raw, ca: authority.root.cert, host: '127.0.0.1' })
    await soon('TLS is there', once(stream, 'secureConnect'))
    expect(stream.getPeerCertificate().subjectaltname).not.toContain('renewed.example')
  })

  test('a shard that takes the place of a crashed one has the new certificate', async () => {
    const echo = await start({ workers: 1 })
    await echo.reloadTls({ key: renewed.key, cert: renewed.cert })
    const client = await Client.open(echo.port)
    const closed = once(client.socket, 'close')
    client.socket.send('!crash')
    await soon('the shard crashes', closed)
    await until('it is back', async () => {
      const [shard] = (await echo.stats()).shards
      return shard?.restarts === 1 && shard.state === 'ready'
    })
    expect(nameOf(await Client.open(echo.port))).toContain('renewed.example')
  })

  test('what can not be used changes nothing', async () => {
    const echo = await start()
    await expect(echo.reloadTls({ key: localhost.key, cert: renewed.cert })).rejects.toThrow(
      /tls: the key does not belong to the certificate/,
    )
    await expect(echo.reloadTls()).rejects.toThrow(/names no files/)
    await expect(echo.reloadTls({ key: localhost.key } as never)).rejects.toThrow(/tls\.cert is missing/)
    expect(nameOf(await Client.open(echo.port))).toBe('DNS:localhost, IP Address:127.0.0.1')
    echo.kill()
    const plain = keep(await ServerProcess.start())
    await expect(plain.reloadTls(localhost)).rejects.toThrow(/started without the option tls/)
  })

  test('SIGHUP has the command read its files again', async () => {
    const live = authority.server('live', 'localhost')
    const command = await Command.listening(['--tls-key', live.keyFile, '--tls-cert', live.certFile])
    closers.push(() => command.kill('SIGKILL'))
    expect(command.url).toMatch(/^wss:/)
    const port = Number(new URL(command.url).port)
    const old = await Client.open(port)
    expect(nameOf(old)).not.toContain('live.example')

    authority.server('live', 'localhost', 'live.example')
    command.kill('SIGHUP')
    await command.output('stdout', /SIGHUP: new connections/)
    expect(nameOf(await Client.open(port))).toContain('live.example')

    await writeFile(live.certFile, localhost.cert)
    command.kill('SIGHUP')
    await command.output('stderr', /SIGHUP: the reload failed, and .*: tls: the key does not belong/)
    expect(nameOf(await Client.open(port))).toContain('live.example')
    expect(await old.ask('PING')).toBe('PONG')
    expect((await command.stop()).code).toBe(0)
  })
})

describe('what can not be used', () => {
  const attempt = (tls: object): Promise<unknown> => serveHere({ tls: tls as never })

  test.each([
    [
      'a key of another certificate',
      () => ({ key: renewed.key, cert: localhost.cert }),
      /key does not belong/,
    ],
    [
      'no file',
      () => ({ key: '/no/such/key.pem', cert: localhost.cert }),
      /key\.pem can't be read \(ENOENT\)/,
    ],
    ['no PEM', () => ({ key: localhost.keyFile, cert: 'package.json' }), /is no PEM file/],
    [
      'rubbish in PEM',
      () => ({ key: '-----BEGIN PRIVATE KEY-----\n', cert: localhost.cert }),
      /OpenSSL can't use/,
    ],
    [
      'sni',
      () => ({ ...localhostPair(), sni: { a: { key: renewed.key, cert: localhost.cert } } }),
      /tls\.sni\['a'\]/,
    ],
    ['ciphers', () => ({ ...localhostPair(), ciphers: 'NONE' }), /OpenSSL can't use/],
    [
      'ca',
      () => ({ ...localhostPair(), requestCert: true, ca: '-----BEGIN CERTIFICATE-----\n' }),
      /OpenSSL can't use/,
    ],
  ])('%s makes serve reject, and says why', async (_, tls, text) => {
    await expect(attempt(tls())).rejects.toMatchObject({
      code: 'ERR_TLS',
      message: expect.stringMatching(text) as string,
    })
  })

  test('the command says it in one line', async () => {
    const command = new Command([
      '--port',
      '0',
      '--tls-key',
      renewed.keyFile,
      '--tls-cert',
      localhost.certFile,
    ])
    const { code, stdout, stderr } = await command.ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^shardws: tls: the key does not belong to the certificate[^\n]*\n$/)
  })

  function localhostPair(): { key: string; cert: string } {
    return { key: localhost.key, cert: localhost.cert }
  }
})
