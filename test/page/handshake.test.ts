// The view of the handshake.
import { describe, expect, test } from 'vitest'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'
import { assertShows, focused, ServedPage, textOf } from '../support/served-page.js'

describe('the handshake', needs(chromiumPath(), counterparts.chromium.reason), () => {
  const served = ServedPage.use()

  test('is what went over the wire, each line explained', async () => {
    const sent: Record<string, string>[] = []
    const received: string[] = []
    const page = await served.open('/#handshake', {}, [], async opened => {
      const session = await opened.context().newCDPSession(opened)
      session.on('Network.webSocketWillSendHandshakeRequest', ({ request }) => sent.push(request.headers))
      session.on('Network.webSocketHandshakeResponseReceived', ({ response }) =>
        received.push(response.headersText ?? ''),
      )
      await session.send('Network.enable')
      await opened.context().addCookies([{ name: 'session', value: 'secret', url: served.url }])
    })
    await page.locator('#response [role=option]').first().waitFor()
    const lines = (id: string) => page.locator(`#${id} [role=option]`).allInnerTexts()
    const clean = (line = '') => line.replace(/\s*\\r\\n$/, '')
    const request = (await lines('request')).map(clean)
    expect(request[0]).toBe('GET / HTTP/1.1')
    expect(request.at(-1)).toBe('')
    for (const [name, value] of Object.entries(sent[0])) {
      const told = name === 'Cookie' ? '*'.repeat(value.length) : value
      expect(request).toContain(`${name}: ${told}`)
    }
    expect(request.join()).not.toContain('secret')
    expect(request).toContain('Cookie: **************')
    const response = (await lines('response')).map(clean)
    expect(`${response.join('\r\n')}\r\n`).toBe(received[0])

    await page.getByRole('option', { name: /^Sec-WebSocket-Key/ }).hover()
    await assertShows(page, '#line-note', /16 random bytes in base64.*RFC 6455, section 11\.3\.1/s)
    expect(await page.getByRole('option', { name: /^Sec-WebSocket-Key/ }).getAttribute('aria-label')).toMatch(
      / RFC 6455, section 11\.3\.1\.$/,
    )
  })

  test('has the note of every line within reach of the keyboard', async () => {
    const page = await served.open('/#handshake')
    await page.locator('#response [role=option]').first().waitFor()
    const note = page.getByRole('complementary', { name: 'About the line' })
    await page.getByRole('button', { name: 'Another one' }).focus()
    await page.keyboard.press('Tab')
    expect(await focused(page)).toMatch(/^Request line: GET/)
    await page.keyboard.press('ArrowDown')
    expect(await note.innerText()).toMatch(/^Host/)
    // Past what is between, which is one list no longer, to the link in the note.
    for (let i = 0; i < 5; i++) await page.keyboard.press('Tab')
    expect(await focused(page)).toMatch(/^RFC 9110, section 7\.2$/)
    expect(await note.innerText()).toMatch(/^Host/)

    await page.getByRole('option', { name: /^Host/ }).focus()
    await page.keyboard.press('PageDown')
    expect(await note.innerText()).toMatch(/^Status line/)
    await page.keyboard.press('ArrowUp')
    expect(await note.innerText()).toMatch(/^The empty line/)
    expect(await page.getByRole('option', { selected: true }).count()).toBe(1)
  })

  test('has the accept key computed step by step', async () => {
    const page = await served.open('/#handshake')
    await assertShows(page, '#accept-verdict', /^✓ The same as Sec-WebSocket-Accept of the response/)
    const key = page.getByLabel('The key of the request')
    const original = await key.inputValue()
    // RFC 6455 1.3.
    await key.fill('dGhlIHNhbXBsZSBub25jZQ==')
    expect(await textOf(page, '#accept-joined')).toBe(
      'dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11',
    )
    expect(await textOf(page, '#accept-sha1')).toBe(
      'b3 7a 4f 2c c0 62 4f 16 90 f6 46 06 cf 38 59 45 b2 be c4 ea',
    )
    expect(await textOf(page, '#accept-base64')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(await textOf(page, '#accept-verdict')).toMatch(/^✗ The response had /)
    await key.fill('too short')
    expect(await page.getByRole('alert').innerText()).toMatch(/16 bytes in base64/)
    await page.getByRole('button', { name: 'Random' }).click()
    expect(await key.inputValue()).toMatch(/^[\w+/]{22}==$/)
    await page.getByRole('button', { name: 'Restore' }).click()
    expect(await key.inputValue()).toBe(original)
    await assertShows(page, '#accept-verdict', /^✓/)
    await page.getByRole('button', { name: 'Another one' }).click()
    await expect.poll(() => key.inputValue()).not.toBe(original)
    await assertShows(page, '#accept-verdict', /^✓/)
  })

  test('says so where the server does not tell', async () => {
    const page = await served.open('', {}, [], opened =>
      // Once it is open.
      opened.routeWebSocket(/.*/, socket => void setTimeout(() => void socket.close(), 200)),
    )
    await page.getByRole('tab', { name: 'Handshake' }).click()
    await assertShows(page, '#shake-status', /did not tell/)
  })

  test('says so where there is no server, and shows none', async () => {
    served.expected = /ERR_CONNECTION_REFUSED/
    const gone = await served.other()
    const page = await served.open(gone.url.replace('ws', 'http'))
    await assertShows(page, '#status', /^Not connected$/)
    gone.kill('SIGKILL')
    await page.getByRole('tab', { name: 'Handshake' }).click()
    await assertShows(page, '#shake-status', /^No connection to ws:/)
    const [status, fault] = ['shake-status', 'accept-fault'].map(id =>
      page.locator(`#${id}`).evaluate(element => getComputedStyle(element).color),
    )
    expect(await status).toBe(await fault)
    expect(await page.getByRole('listbox').count()).toBe(0)
    // The steps are those of the example in RFC 6455 1.3.
    expect(await textOf(page, '#accept-base64')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(await page.getByRole('button', { name: 'Restore' }).isDisabled()).toBe(true)

    await served.other('--port', new URL(gone.url).port)
    await page.getByRole('button', { name: 'Try again' }).click()
    await assertShows(page, '#accept-verdict', /^✓/)
    expect(await page.getByRole('listbox').count()).toBe(2)
    expect(await page.getByRole('button', { name: 'Restore' }).isDisabled()).toBe(false)
    expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0)
  })
})
