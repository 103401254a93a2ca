// How the page is served.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'
import { Authority } from '../support/certificates.js'
import { assertShows, connect, messagesOf, ServedPage, textOf } from '../support/served-page.js'
import { StaticServer } from '../support/static-server.js'
import { until } from '../support/until.js'

describe('the page', needs(chromiumPath(), counterparts.chromium.reason), () => {
  const served = ServedPage.use()

  test('works over TLS, with a path, and for other programs than browsers as before', async () => {
    const authority = await Authority.create()
    try {
      const { keyFile, certFile } = authority.server('live', 'localhost')
      const secure = await served.other('--tls-key', keyFile, '--tls-cert', certFile, '--path', '/chat')
      expect(secure.stdout).toMatch(/^to try it, open https:\/\/127\.0\.0\.1:\d+\/$/m)
      const page = await served.open(secure.url.replace('wss', 'https'), { ignoreHTTPSErrors: true })
      expect(await page.getByLabel('Address').inputValue()).toBe(`${secure.url}/chat`)
      await connect(page)
      await page.getByRole('button', { name: 'Send PING' }).click()
      await until('PONG', async () => (await messagesOf(page)).length === 2)
      await page.getByRole('tab', { name: 'Handshake' }).click()
      await assertShows(page, '#accept-verdict', /^✓/)
      expect(await textOf(page, '#request')).toMatch(/^GET \/chat HTTP\/1\.1/)
    } finally {
      await authority.remove()
    }
    const statuses = ['/', '/healthz', '/readyz', '/page.js', '/theme.js', '/codec.wasm', '/else'].map(
      async path => {
        const response = await fetch(served.url + path)
        return [path, response.status]
      },
    )
    expect(Object.fromEntries(await Promise.all(statuses))).toEqual({
      '/': 426,
      '/healthz': 200,
      '/readyz': 200,
      '/page.js': 200,
      '/theme.js': 200,
      '/codec.wasm': 200,
      '/else': 426,
    })
  })

  test('is not needed for the codec: the page of the README runs as it stands there', async () => {
    const readme = await readFile('README.md', 'utf8')
    const source = /```html\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
    const directory = await mkdtemp(join(tmpdir(), 'shardws-readme-'))
    await writeFile(
      join(directory, 'index.html'),
      `<!doctype html><link rel="icon" href="data:,"><body>${source}`,
    )
    // .../node_modules/shardws/dist/cli.js
    const modules = resolve(inject('packedCli'), '../../..')
    const files = await StaticServer.start({ '': directory, node_modules: modules }, '')
    try {
      const page = await served.open(`${files.url}/`)
      await assertShows(page, 'body', /^11 bytes on the wire: Hello$/)
    } finally {
      await files.close()
      await rm(directory, { recursive: true })
    }
  })

  test('is small', async () => {
    const response = await fetch(`${served.url}/page.js`)
    expect((await response.arrayBuffer()).byteLength).toBeLessThan(64 * 1024)
  })
})
