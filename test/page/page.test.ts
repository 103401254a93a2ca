// The page of the built-in application in Chromium, as the packed package serves it, driven as a user would.
import type { Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Command } from '../command.js'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'
import { Authority } from '../support/certificates.js'
import { PackedPackage } from '../support/packed-package.js'
import { WatchedBrowser } from '../support/page.js'
import { lowContrast, overflowing, overlapping, unnamed } from '../support/page-checks.js'
import { until } from '../support/until.js'

const HELLO = '81 85 37 fa 21 3d 7f 9f 4d 51 58'
const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }

let project: PackedPackage
let cli: string
let server: Command
let browser: WatchedBrowser
/** Of the page. */
let url: string
const others: Command[] = []
/** What a test makes Chromium complain about. */
let expected: RegExp | undefined

describe('the page', needs(chromiumPath(), counterparts.chromium.reason), () => {
  beforeAll(async () => {
    project = await PackedPackage.install()
    await project.linkDependencies()
    cli = project.path('node_modules', 'shardws', 'dist', 'cli.js')
    server = await Command.listening(['--workers', '2'], { cli })
    url = server.url.replace('ws', 'http')
    browser = await WatchedBrowser.start()
  })

  afterAll(async () => {
    await browser.close()
    const { code, stderr } = await server.stop()
    await project.remove()
    if (code !== 0 || stderr !== '') throw new Error(`the server ended with ${code}:\n${stderr}`)
  })

  afterEach(async () => {
    const complaints = await browser.takeComplaints(expected)
    expected = undefined
    for (const command of others.splice(0)) command.kill('SIGKILL')
    if (complaints.length > 0) throw new Error(`the browser complains:\n${complaints.join('\n')}`)
  })

  async function other(...args: string[]): Promise<Command> {
    const command = await Command.listening(['--workers', '1', ...args], { cli })
    others.push(command)
    return command
  }

  const text = (page: Page, selector: string) => page.locator(selector).innerText()

  /** Waits until an element's text fits, and fails with what it is otherwise. */
  async function assertShows(page: Page, selector: string, pattern: RegExp): Promise<void> {
    await expect.poll(() => text(page, selector), { timeout: 20_000 }).toMatch(pattern)
  }

  async function connected(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await assertShows(page, '#status', /^Connected to /)
  }

  /** The messages, the latest first, without their times. */
  async function messages(page: Page): Promise<string[]> {
    const lines = await page.locator('#messages li').allInnerTexts()
    return lines.map(line => line.split(/\s+/).slice(1).join(' '))
  }

  describe('playground', () => {
    test('connects, sends text, bytes and PING, shows what comes, closes with a code', async () => {
      const page = await browser.open(url)
      expect(await page.getByLabel('Address').inputValue()).toBe(`${server.url}/`)
      expect(await page.getByRole('button', { name: 'Send', exact: true }).isDisabled()).toBe(true)
      await page.getByLabel('Every second').uncheck()
      await connected(page)
      await page.getByRole('button', { name: 'Send PING' }).click()
      await until('PONG', async () => (await messages(page)).length === 2)
      await page.getByLabel('Message', { exact: true }).fill('Grüße')
      await page.getByLabel('Message', { exact: true }).press('Enter')
      await until('the echo', async () => (await messages(page)).length === 4)
      await page.getByLabel('Bytes in hexadecimal').check()
      await page.getByLabel('Message', { exact: true }).fill('00 ff 0')
      await page.getByRole('button', { name: 'Send', exact: true }).click()
      expect(await page.getByRole('alert').innerText()).toMatch(/half a byte/)
      await page.getByLabel('Message', { exact: true }).fill('00 ff 07')
      await page.getByRole('button', { name: 'Send', exact: true }).click()
      await until('the echo', async () => (await messages(page)).length === 6)
      expect(await page.getByRole('alert').count()).toBe(0)

      await page.getByLabel('Code', { exact: true }).fill('1001')
      await page.getByRole('button', { name: 'Close', exact: true }).click()
      expect(await page.getByRole('alert').innerText()).toBe('Browsers send 1000 and 3000 to 4999 only')
      await page.getByLabel('Code', { exact: true }).fill('3001')
      await page.getByLabel('Reason', { exact: true }).fill('é'.repeat(62))
      await page.getByRole('button', { name: 'Close', exact: true }).click()
      expect(await page.getByRole('alert').innerText()).toBe('A reason has at most 123 bytes')
      await page.getByLabel('Reason', { exact: true }).fill('enough')
      await page.getByRole('button', { name: 'Close', exact: true }).click()
      await assertShows(page, '#status', /^Closed with 3001$/)
      await until('the Close frames', async () => (await messages(page)).length === 8)
      expect(await messages(page)).toEqual([
        '↓ close 2 B 3001',
        '↑ close 8 B 3001 enough',
        '↓ binary 3 B 00 ff 07',
        '↑ binary 3 B 00 ff 07',
        '↓ text 7 B Grüße',
        '↑ text 7 B Grüße',
        '↓ text 4 B PONG',
        '↑ text 4 B PING',
      ])
      expect(await text(page, '#message-count')).toBe('8 in all')
      await page.getByRole('button', { name: 'Clear' }).click()
      expect(await messages(page)).toEqual([])
    })

    test('connects elsewhere, with a subprotocol, and again when the connection ends', async () => {
      const away = await other('--protocols', 'superchat')
      const { host, port } = new URL(away.url)
      const page = await browser.open(url, {}, [host])
      await page.getByLabel('Address').fill(host)
      await page.getByLabel('Subprotocols').fill('chat, superchat')
      await connected(page)
      expect(await text(page, '#status')).toBe(`Connected to ${away.url}/, subprotocol superchat`)

      // Chromium itself writes to its console that a WebSocket did not come about.
      expected = /WebSocket connection to .* failed/
      away.kill('SIGKILL')
      await assertShows(page, '#status', /^(Closed with 1006|No connection), next attempt in \d+\.\d s$/)
      const back = new Command(
        ['--host', '127.0.0.1', '--port', port, '--workers', '1', '--protocols', 'superchat'],
        { cli },
      )
      others.push(back)
      await back.output('stdout', /listening/)
      await assertShows(page, '#status', /^Connected to /)

      await page.getByLabel('Reconnect when it ends unasked').uncheck()
      back.kill('SIGKILL')
      await assertShows(page, '#status', /^Closed with 1006$/)
      await page.getByLabel('Reconnect when it ends unasked').check()
      await page.getByRole('button', { name: 'Connect', exact: true }).click()
      await assertShows(page, '#status', /^No connection, next attempt in /)
      await page.getByRole('button', { name: 'Stop' }).click()
      await assertShows(page, '#status', /^Not connected$/)
      expect(await page.getByRole('button', { name: 'Connect', exact: true }).isVisible()).toBe(true)
    })

    test('says what is wrong with an address or a subprotocol', async () => {
      const page = await browser.open(url)
      const connect = page.getByRole('button', { name: 'Connect', exact: true })
      await page.getByLabel('Address').fill('ftp://example.com')
      await connect.click()
      expect(await page.getByRole('alert').innerText()).toMatch(/begin with ws:\/\/ or wss:\/\//)
      expect(await page.getByLabel('Address').getAttribute('aria-invalid')).toBe('true')
      await page.getByLabel('Address').fill(server.url)
      await page.getByLabel('Subprotocols').fill('a"b')
      await connect.click()
      expect(await page.getByRole('alert').innerText()).toMatch(/subprotocol/i)
      await page.getByLabel('Subprotocols').fill('')
      await page.getByLabel('Address').press('Enter')
      await assertShows(page, '#status', /^Connected to /)
      expect(await page.getByRole('alert').count()).toBe(0)
    })

    test('keeps the focus where the user is', async () => {
      const page = await browser.open(url)
      await page.getByLabel('Address').focus()
      for (let i = 0; i < 2; i++) await page.keyboard.press('Tab')
      const focused = () => page.evaluate(() => document.activeElement?.id)
      expect(await focused()).toBe('connect')
      await page.keyboard.press('Space')
      await assertShows(page, '#status', /^Connected to /)
      expect(await focused()).toBe('send')
    })

    test('plots round-trip times', async () => {
      const page = await browser.open(url)
      expect(await page.getByRole('img', { name: 'Round-trip times: none yet' }).count()).toBe(1)
      await connected(page)
      await page.getByLabel('Every second').uncheck()
      const points = page.locator('#plot circle')
      await until('a first time', async () => (await points.count()) === 1)
      await page.getByRole('button', { name: 'Measure' }).click()
      await until('a second', async () => (await points.count()) === 2)
      await page.getByRole('button', { name: 'Send PING' }).click()
      await until('that of PING', async () => (await points.count()) === 3)
      expect(await text(page, '#trip-last')).toMatch(/^[\d.]+ ms$/)
      const label = await page.locator('#plot').getAttribute('aria-label')
      expect(label).toMatch(
        /^3 round-trip times: the last [\d.]+ ms, median [\d.]+ ms, [\d.]+ ms to [\d.]+ ms$/,
      )
      // Those that measure are no messages of the user's.
      expect(await messages(page)).toEqual(['↓ text 4 B PONG', '↑ text 4 B PING'])
      await page.getByLabel('Every second').check()
      await until('more', async () => (await points.count()) >= 5)
    })

    test('keeps a number of messages, and counts the others', async () => {
      const page = await browser.open(url)
      await page.getByLabel('Every second').uncheck()
      await connected(page)
      await page.locator('#send').evaluate((button: HTMLElement) => {
        for (let i = 0; i < 350; i++) button.click()
      })
      await assertShows(page, '#message-count', /^700 in all, the oldest 500 not shown$/)
      expect(await page.locator('#messages li').count()).toBe(200)
    })
  })

  describe('frame inspector', () => {
    const field = (page: Page, name: RegExp, frame = 1) =>
      page.getByRole('listbox', { name: `Fields of frame ${frame}` }).getByRole('option', { name })
    const note = (page: Page) => page.getByRole('complementary', { name: 'About the field' })

    async function inspect(page: Page, bytes: string): Promise<void> {
      await page.getByLabel('Bytes of frames').fill(bytes)
    }

    test('draws a frame bit by bit, and explains what is pointed at', async () => {
      const page = await browser.open(`${url}/#inspector`)
      expect(await page.getByLabel('Bytes of frames').inputValue()).toBe(HELLO)
      const names = await page
        .getByRole('option')
        .evaluateAll(all =>
          all
            .filter(each => each.closest('.drawing'))
            .map(each => each.getAttribute('aria-label')?.split('. ')[0]),
        )
      expect(names).toEqual([
        'FIN: 1',
        'RSV1: 0',
        'RSV2: 0',
        'RSV3: 0',
        'opcode: 0x1, text',
        'MASK: 1',
        'Payload length: 5',
        'Masking key: 37 fa 21 3d',
        'Payload, masked: 7f ⊕ 37 = 48  H',
        'Payload, masked: 9f ⊕ fa = 65  e',
        'Payload, masked: 4d ⊕ 21 = 6c  l',
        'Payload, masked: 51 ⊕ 3d = 6c  l',
        'Payload, masked: 58 ⊕ 37 = 6f  o',
      ])
      const bits = await page.locator('.drawing i').allInnerTexts()
      const wire = Uint8Array.from(HELLO.split(' '), byte => Number.parseInt(byte, 16))
      expect(bits.join('')).toBe(Array.from(wire, byte => byte.toString(2).padStart(8, '0')).join(''))

      expect(await note(page).innerText()).toMatch(/^Choose a field/)
      await field(page, /^opcode/).hover()
      expect(await note(page).innerText()).toMatch(
        /opcode\s+0x1, text\s+It begins a text message.*\s+RFC 6455, section 5\.6/,
      )
      await field(page, /^Masking key/).click()
      await field(page, /^FIN/).hover()
      expect(await note(page).innerText()).toMatch(/^FIN/)
      await page.mouse.move(0, 0)
      expect(await note(page).innerText()).toMatch(/^Masking key\s+37 fa 21 3d/)
      const link = note(page).getByRole('link')
      expect(await link.getAttribute('href')).toBe('https://www.rfc-editor.org/rfc/rfc6455#section-5.3')
      const rows = await page.locator('.payload-tables tr').allInnerTexts()
      expect(rows.map(row => row.trim().split(/\s+/).join(' '))).toEqual([
        'masked 7f 9f 4d 51 58',
        '⊕ key 37 fa 21 3d 37',
        '= payload 48 65 6c 6c 6f',
        'ASCII H e l l o',
      ])
    })

    test('is used by keyboard alone', async () => {
      const page = await browser.open(`${url}/#inspector`)
      const list = page.getByRole('listbox', { name: 'Fields of frame 1' })
      await page.locator('#step-back').focus()
      await page.keyboard.press('Tab')
      expect(await page.evaluate(() => document.activeElement?.id)).toBe('position')
      await page.keyboard.press('Tab')
      expect(await list.evaluate(element => element === document.activeElement)).toBe(true)
      const outline = await list.evaluate(element => getComputedStyle(element).outlineStyle)
      expect(outline).toBe('solid')
      const chosen = () => list.getByRole('option', { selected: true }).getAttribute('aria-label')
      expect(await chosen()).toMatch(/^FIN/)
      await page.keyboard.press('ArrowRight')
      expect(await chosen()).toMatch(/^RSV1/)
      await page.keyboard.press('End')
      expect(await chosen()).toMatch(/^Payload, masked: 58/)
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowUp')
      expect(await chosen()).toMatch(/^Payload, masked: 51/)
      await page.keyboard.press('Home')
      expect(await note(page).innerText()).toMatch(/^FIN/)
      const active = await list.getAttribute('aria-activedescendant')
      expect(await page.locator(`[id="${active}"]`).getAttribute('aria-selected')).toBe('true')
      await page.keyboard.press('Tab')
      await page.keyboard.press('Tab')
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Flip this bit')
      await page.keyboard.press('Enter')
      expect(await page.getByLabel('Bytes of frames').inputValue()).toBe(HELLO.replace('81', '01'))
      expect(await note(page).innerText()).toMatch(/^FIN\s+0\s+More frames/)
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Flip this bit')
    })

    test('takes hexadecimal and base64, and says what is wrong with them', async () => {
      const page = await browser.open(`${url}/#inspector`)
      await inspect(page, 'gYU3+iE9f59NUVg=')
      expect(await text(page, '#bytes-count')).toBe('11 bytes, read as base64')
      expect(await text(page, '#yielded')).toMatch(/the text “Hello”/)
      await page.getByLabel('Form', { exact: true }).selectOption('hexadecimal')
      expect(await page.getByLabel('Bytes of frames').inputValue()).toBe(HELLO)
      await inspect(page, `${HELLO} x`)
      expect(await page.getByRole('alert').innerText()).toBe('“x” is no hexadecimal digit')
      await page.getByRole('radio', { name: 'a client' }).check()
      await inspect(page, '81 7e 00 7e 41')
      expect(await page.getByRole('alert').count()).toBe(0)
      expect(await text(page, '.frame h3')).toMatch(/text · 126 bytes · incomplete/)
      expect(await text(page, '.drawing')).toMatch(/125 bytes of payload did not come yet/)
    })

    test('has the three forms of length, and control frames in a message', async () => {
      const page = await browser.open(`${url}/#inspector`)
      const example = page.getByLabel('Example')
      await example.selectOption('Binary, 16-bit length')
      expect(await field(page, /^Extended payload length: 256\./).count()).toBe(1)
      expect(await text(page, '.drawing')).toMatch(/224 bytes of payload below, not drawn/)
      await example.selectOption('Binary, 64-bit length, only begun')
      expect(await field(page, /^Extended payload length: 65,536\./).count()).toBe(1)
      await example.selectOption('Text in two fragments, a ping between them')
      expect(await page.locator('.frame h3').allInnerTexts()).toEqual([
        expect.stringContaining('text · fragment · 3 bytes · masked'),
        expect.stringContaining('ping · 1 byte · masked'),
        expect.stringContaining('continuation · 2 bytes · masked'),
      ])
      expect(await page.locator('#yielded li').allInnerTexts()).toEqual([
        'a ping of 1 byte: 3f',
        expect.stringMatching(/^the text “Hello”\s*with this byte$/),
      ])
      await field(page, /^opcode/, 1).click()
      await field(page, /^opcode/, 2).click()
      expect(
        await page
          .getByRole('option', { selected: true })
          .evaluateAll(all => all.filter(each => each.closest('.drawing')).length),
      ).toBe(1)
    })

    test.each([
      ['Wrong: not UTF-8', 'ERR_INVALID_UTF8', 1007, 9, /^Payload, masked: c2/],
      ['Wrong: a reserved bit', 'ERR_FRAME_RESERVED_BITS', 1002, 0, /^RSV1: 1/],
      [
        'Wrong: length not in its shortest form',
        'ERR_FRAME_LENGTH_NOT_MINIMAL',
        1002,
        3,
        /^Extended payload length: 2/,
      ],
      ['Wrong: a message over 1 MiB', 'ERR_MESSAGE_TOO_BIG', 1009, 9, /^Extended payload length: 1,048,577/],
    ])('%s: %s at its byte, with the close code', async (name, code, closeCode, at, place) => {
      const page = await browser.open(`${url}/#inspector`)
      await page.getByLabel('Example').selectOption(name)
      const fault = await text(page, '.frame .fault')
      expect(fault).toMatch(
        new RegExp(
          `^${code} at offset ${at} of the stream, .*The connection is closed with ${closeCode}\\.$`,
        ),
      )
      expect(await field(page, place).getAttribute('class')).toContain('wrong')
      // One byte earlier nothing is wrong yet.
      await page.getByRole('slider').fill(String(at))
      expect(await page.locator('.frame .fault').count()).toBe(0)
      await page.getByRole('button', { name: 'One byte more' }).click()
      expect(await page.locator('.frame .fault').count()).toBe(1)
      expect(await text(page, '#yielded')).toMatch(
        new RegExp(`^${code}: .* close with ${closeCode}\\s*with this byte$`),
      )
    })

    test('pushes byte by byte', async () => {
      const page = await browser.open(`${url}/#inspector`)
      const slider = page.getByRole('slider', { name: 'Bytes pushed to the decoder' })
      expect(await slider.getAttribute('aria-valuetext')).toBe(
        'Byte 11 of 11 is 0x58, byte 5 of the payload of frame 1. It yields the text “Hello”.',
      )
      await slider.focus()
      await page.keyboard.press('ArrowLeft')
      expect(await text(page, '#pushed')).toBe('Byte 10 of 11 is 0x51, byte 4 of the payload of frame 1.')
      expect(await text(page, '#yielded')).toBe('nothing so far')
      expect(await page.locator('.bits .later').count()).toBe(8)
      expect(await page.locator('td.later').count()).toBe(4)
      expect(await text(page, '.frame h3')).toMatch(/incomplete$/)
      await page.keyboard.press('Home')
      expect(await text(page, '#pushed')).toBe('Nothing is pushed yet.')
      expect(await page.locator('.bits .later').count()).toBe(88)
      for (let i = 0; i < 11; i++) await page.getByRole('button', { name: 'One byte more' }).click()
      expect(await text(page, '#yielded')).toMatch(/^the text “Hello”\s*with this byte$/)
    })

    test('shows the messages of the playground, sent and received', async () => {
      const page = await browser.open(url)
      await page.getByLabel('Every second').uncheck()
      await connected(page)
      await page.getByLabel('Message', { exact: true }).fill('twelve bytes')
      await page.getByLabel('Message', { exact: true }).press('Enter')
      await until('the echo', async () => (await messages(page)).length === 2)
      await page.getByRole('button', { name: /^received text, 12 bytes/ }).click()
      expect(await page.getByRole('tab', { name: 'Frame inspector' }).getAttribute('aria-selected')).toBe(
        'true',
      )
      expect(await page.getByLabel('Bytes of frames').inputValue()).toMatch(/^81 0c 74 77/)
      expect(await page.getByRole('radio', { name: 'a client' }).isChecked()).toBe(true)
      expect(await text(page, '#bytes-source')).toMatch(/encoded again: a browser shows neither/)
      await page.goBack()
      await page.getByRole('button', { name: /^sent text, 12 bytes/ }).click()
      expect(await page.getByLabel('Bytes of frames').inputValue()).toMatch(/^81 8c /)
      expect(await page.getByRole('radio', { name: 'a server' }).isChecked()).toBe(true)
      expect(await text(page, '#yielded')).toMatch(/the text “twelve bytes”/)
    })

    test('is linked to, bytes and all', async () => {
      const page = await browser.open(`${url}/#inspector?role=client&hex=8900`)
      expect(await text(page, '.frame h3')).toMatch(/ping · 0 bytes/)
      await inspect(page, '8a 01 21')
      await page.waitForURL(/#inspector\?role=client&hex=8a0121$/)
      const link = page.getByRole('link', { name: 'Link to these bytes' })
      expect(await link.getAttribute('href')).toBe('#inspector?role=client&hex=8a0121')
      await page.reload()
      expect(await text(page, '.frame h3')).toMatch(/pong · 1 byte/)
    })

    test('stays usable with as much as it takes', async () => {
      const page = await browser.open(`${url}/#inspector`)
      await page.getByRole('radio', { name: 'a client' }).check()
      await inspect(page, '8900'.repeat(32_775))
      expect(await text(page, '#bytes-count')).toMatch(/^65,550 bytes, read as hexadecimal$/)
      expect(await page.locator('.frame').count()).toBe(8)
      await page.getByRole('slider').fill('40000')
      expect(await page.getByRole('listbox', { name: 'Fields of frame 20000' }).count()).toBe(1)
      await inspect(page, `${'8900'.repeat(32_775)}00`)
      expect(await text(page, '#bytes-count')).toMatch(/1 byte more are left out$/)
    })
  })

  describe('handshake', () => {
    test('is what went over the wire, each line explained', async () => {
      const sent: Record<string, string>[] = []
      const received: string[] = []
      const page = await browser.open(`${url}/#handshake`, {}, [], async opened => {
        const session = await opened.context().newCDPSession(opened)
        session.on('Network.webSocketWillSendHandshakeRequest', ({ request }) => sent.push(request.headers))
        session.on('Network.webSocketHandshakeResponseReceived', ({ response }) =>
          received.push(response.headersText ?? ''),
        )
        await session.send('Network.enable')
        await opened.context().addCookies([{ name: 'session', value: 'secret', url }])
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
      const note = page.getByRole('complementary', { name: 'About the line' })
      expect(await note.innerText()).toMatch(/16 random bytes in base64.*RFC 6455, section 11\.3\.1/s)
      await page.getByRole('listbox', { name: 'Lines of the response' }).focus()
      expect(await note.innerText()).toMatch(/^Status line/)
      await page.keyboard.press('ArrowDown')
      expect(await note.innerText()).toMatch(/^Upgrade/)
    })

    test('has the accept key computed step by step', async () => {
      const page = await browser.open(`${url}/#handshake`)
      await assertShows(page, '#accept-verdict', /^✓ The same as Sec-WebSocket-Accept of the response/)
      const key = page.getByLabel('The key of the request')
      const original = await key.inputValue()
      // RFC 6455 1.3.
      await key.fill('dGhlIHNhbXBsZSBub25jZQ==')
      expect(await text(page, '#accept-joined')).toBe(
        'dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11',
      )
      expect(await text(page, '#accept-sha1')).toBe(
        'b3 7a 4f 2c c0 62 4f 16 90 f6 46 06 cf 38 59 45 b2 be c4 ea',
      )
      expect(await text(page, '#accept-base64')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
      expect(await text(page, '#accept-verdict')).toMatch(/^✗ The response had /)
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
      const page = await browser.open(`${url}/`, {}, [], opened =>
        opened.routeWebSocket(/.*/, socket => socket.close()),
      )
      await page.getByRole('tab', { name: 'Handshake' }).click()
      await assertShows(page, '#shake-status', /did not tell/)
    })
  })

  describe('all views', () => {
    test('are tabs that follow the arrow keys and the address', async () => {
      const page = await browser.open(url)
      await page.keyboard.press('Tab')
      const tab = (name: string) => page.getByRole('tab', { name })
      const isActive = (name: string) => tab(name).evaluate(element => element === document.activeElement)
      expect(await isActive('Playground')).toBe(true)
      await page.keyboard.press('ArrowRight')
      expect([await isActive('Frame inspector'), new URL(page.url()).hash]).toEqual([
        true,
        expect.stringMatching(/^#inspector/),
      ])
      await page.keyboard.press('End')
      expect([await isActive('Handshake'), new URL(page.url()).hash]).toEqual([true, '#handshake'])
      await page.keyboard.press('ArrowRight')
      expect(await isActive('Playground')).toBe(true)
      await page.keyboard.press('Tab')
      await page.keyboard.press('Tab')
      expect(await page.evaluate(() => document.activeElement?.id)).toBe('address')
      await page.goBack()
      expect(await page.getByRole('tabpanel', { name: 'Handshake' }).isVisible()).toBe(true)
      expect(await page.getByRole('tabpanel').count()).toBe(1)
    })

    test('are announced by name', async () => {
      const page = await browser.open(url)
      expect(await page.locator('body').ariaSnapshot()).toMatch(
        /heading "shardws" \[level=1\][\s\S]*tab "Playground" \[selected\][\s\S]*button "Dark theme"[\s\S]*tabpanel "Playground"[\s\S]*heading "Connection" \[level=2\][\s\S]*textbox "Address"/,
      )
    })

    const looks = (['light', 'dark'] as const).flatMap(colorScheme =>
      [1280, 768, 360].map(width => ({ colorScheme, width })),
    )
    test.each(looks)('are readable, $colorScheme, $width pixels wide', async ({ colorScheme, width }) => {
      const phone = width === 360 ? PHONE : {}
      const page = await browser.open(url, { ...phone, viewport: { width, height: 800 }, colorScheme })
      const check = async (view: string) => {
        expect.soft(await overflowing(page), view).toEqual([])
        expect.soft(await overlapping(page), view).toEqual([])
        expect.soft(await lowContrast(page), view).toEqual([])
        expect.soft(await unnamed(page), view).toEqual([])
      }
      await connected(page)
      await page.getByRole('button', { name: 'Send PING' }).click()
      await page
        .getByLabel('Message', { exact: true })
        .fill(`A line that is longer than a phone is wide. ${'x'.repeat(500)}`)
      await page.getByRole('button', { name: 'Send', exact: true }).click()
      await page.getByLabel('Code', { exact: true }).fill('1')
      await page.getByRole('button', { name: 'Close', exact: true }).click()
      await until('the echo', async () => (await messages(page)).length === 4)
      await check('playground')
      await page.getByRole('tab', { name: 'Frame inspector' }).click()
      for (const name of [
        'Text in two fragments, a ping between them',
        'Binary, 64-bit length, only begun',
        'Wrong: not UTF-8',
      ]) {
        await page.getByLabel('Example').selectOption(name)
        await page.getByRole('slider').fill('7')
        await page.locator('.cell').first().click()
        await check(name)
        await page.getByRole('slider').fill('100')
        await check(name)
      }
      await page.getByLabel('Bytes of frames').fill('not bytes')
      await check('what can not be read')
      await page.getByRole('tab', { name: 'Handshake' }).click()
      await assertShows(page, '#accept-verdict', /^✓/)
      await page.getByRole('option', { name: /^Sec-WebSocket-Key/ }).click()
      await check('handshake')
    })

    test('have a theme of their own, if the user wants', async () => {
      const page = await browser.open(url, { colorScheme: 'light' })
      const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
      const light = await paper()
      const button = page.getByRole('button', { name: 'Dark theme' })
      expect(await button.getAttribute('aria-pressed')).toBe('false')
      await button.click()
      expect(await button.getAttribute('aria-pressed')).toBe('true')
      const dark = await paper()
      expect(dark).not.toBe(light)
      await page.reload()
      expect(await paper()).toBe(dark)
      await button.click()
      expect(await paper()).toBe(light)
      await page.emulateMedia({ colorScheme: 'dark' })
      expect(await paper()).toBe(light)
    })

    test('do not move for those who do not want that', async () => {
      const page = await browser.open(url, { reducedMotion: 'reduce' })
      const durations = () =>
        page.evaluate(() =>
          Array.from(document.querySelectorAll('*'), each => getComputedStyle(each).transitionDuration),
        )
      expect(new Set(await durations())).toEqual(new Set(['0s']))
      await page.emulateMedia({ reducedMotion: 'no-preference' })
      expect(new Set(await durations()).size).toBe(2)
    })

    test('say why they can not be there', async () => {
      expected = /404|CompileError|TypeError/
      const page = await browser.open(url, {}, [], opened =>
        opened.route('**/codec.wasm', route => route.fulfill({ status: 404 })),
      )
      expect(await page.getByRole('alert').innerText()).toMatch(/needs WebAssembly with SIMD/)
    })

    test('work by touch', async () => {
      const page = await browser.open(`${url}/#inspector`, PHONE)
      await page.locator('.cell[data-kind=mask]').tap()
      expect(await text(page, '#field-note')).toMatch(/^MASK\s+1/)
    })
  })

  test('works over TLS, with a path, and for other programs than browsers as before', async () => {
    const authority = await Authority.create()
    try {
      const { keyFile, certFile } = authority.server('live', 'localhost')
      const secure = await other('--tls-key', keyFile, '--tls-cert', certFile, '--path', '/chat')
      expect(secure.stdout).toMatch(/^to try it, open https:\/\/127\.0\.0\.1:\d+\/$/m)
      const page = await browser.open(secure.url.replace('wss', 'https'), { ignoreHTTPSErrors: true })
      expect(await page.getByLabel('Address').inputValue()).toBe(`${secure.url}/chat`)
      await connected(page)
      await page.getByRole('button', { name: 'Send PING' }).click()
      await until('PONG', async () => (await messages(page)).length === 2)
      await page.getByRole('tab', { name: 'Handshake' }).click()
      await assertShows(page, '#accept-verdict', /^✓/)
      expect(await text(page, '#request')).toMatch(/^GET \/chat HTTP\/1\.1/)
    } finally {
      await authority.remove()
    }
    const statuses = ['/', '/healthz', '/readyz', '/page.js', '/codec.wasm', '/else'].map(async path => {
      const response = await fetch(url + path)
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
    const response = await fetch(`${url}/page.js`)
    expect((await response.arrayBuffer()).byteLength).toBeLessThan(60_000)
  })
})
