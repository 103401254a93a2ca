// How the page is served.
import { describe, expect, test } from 'vitest'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'

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
    const statuses = ['/', '/healthz', '/readyz', '/page.js', '/codec.wasm', '/else'].map(async path => {
      const response = await fetch(served.url + path)
      return [path, response.status]
    })
    expect(Object.fromEntries(await Promise.all(statuses))).toEqual({
      '/': 426,
      '/healthz': 200,
      '/readyz': 200,
      '/page.js': 200,
      '/codec.wasm': 200,
      '/else': 426,
    })
  })

  test('is small', async () => {
    const response = await fetch(`${served.url}/page.js`)
    expect((await response.arrayBuffer()).byteLength).toBeLessThan(60_000)
  })
})
