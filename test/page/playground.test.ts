// The playground, driven as a user would.
import { describe, expect, test } from 'vitest'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'
import { assertShows, connect, focused, messagesOf, ServedPage, textOf } from '../support/served-page.js'
import { SilentServer } from '../support/silent-server.js'
import { until } from '../support/until.js'

/** Runs in the page: counts what changes in the task that sends a text that measures, and from there to the answer. */
function watchRoundTrips(): void {
  const changes: number[] = []
  let count = 0
  const observer = new MutationObserver(records => {
    count += records.length
  })
  class Watched extends WebSocket {
    #waited = ''

    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true })
      // The first to hear of it.
      this.addEventListener('message', ({ data }) => {
        if (data === this.#waited) changes.push(count + observer.takeRecords().length)
        this.#waited = ''
      })
    }

    override send(data: string | Uint8Array<ArrayBuffer>): void {
      super.send(data)
      if (typeof data !== 'string' || !data.startsWith('shardws round trip')) return
      this.#waited = data
      count = 0
    }
  }
  Object.assign(globalThis, { WebSocket: Watched, roundTripChanges: changes })
}

describe('the playground', needs(chromiumPath(), counterparts.chromium.reason), () => {
  const served = ServedPage.use()

  test('connects, sends text, bytes and PING, shows what comes, closes with a code', async () => {
    const page = await served.open()
    expect(await page.getByLabel('Address').inputValue()).toBe(`${served.server.url}/`)
    expect(await page.getByRole('button', { name: 'Send', exact: true }).isDisabled()).toBe(true)
    await page.getByLabel('Every second').uncheck()
    await connect(page)
    await page.getByRole('button', { name: 'Send PING' }).click()
    await until('PONG', async () => (await messagesOf(page)).length === 2)
    await page.getByLabel('Message', { exact: true }).fill('Grüße')
    await page.getByLabel('Message', { exact: true }).press('Enter')
    await until('the echo', async () => (await messagesOf(page)).length === 4)
    await page.getByLabel('Bytes in hexadecimal').check()
    await page.getByLabel('Message', { exact: true }).fill('00 ff 0')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    expect(await page.getByRole('alert').innerText()).toMatch(/half a byte/)
    await page.getByLabel('Message', { exact: true }).fill('00 ff 07')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await until('the echo', async () => (await messagesOf(page)).length === 6)
    expect(await page.getByRole('alert').count()).toBe(0)

    for (const code of ['1001', '1e3']) {
      await page.getByLabel('Code', { exact: true }).fill(code)
      await page.getByRole('button', { name: 'Close', exact: true }).click()
      expect(await page.getByRole('alert').innerText()).toBe('Browsers send 1000 and 3000 to 4999 only')
    }
    await page.getByLabel('Code', { exact: true }).fill('3001')
    await page.getByLabel('Reason', { exact: true }).fill('é'.repeat(62))
    await page.getByRole('button', { name: 'Close', exact: true }).click()
    expect(await page.getByRole('alert').innerText()).toBe('A reason has at most 123 bytes')
    await page.getByLabel('Reason', { exact: true }).fill('enough')
    await page.getByLabel('Code', { exact: true }).fill('')
    await page.getByRole('button', { name: 'Close', exact: true }).click()
    expect(await page.getByRole('alert').innerText()).toMatch(/^A reason needs a code/)
    await page.getByLabel('Code', { exact: true }).fill('3001')
    await page.getByRole('button', { name: 'Close', exact: true }).click()
    await assertShows(page, '#status', /^Closed with 3001$/)
    await until('the Close frames', async () => (await messagesOf(page)).length === 8)
    expect(await messagesOf(page)).toEqual([
      '↓ close 2 B 3001',
      '↑ close 8 B 3001 enough',
      '↓ binary 3 B 00 ff 07',
      '↑ binary 3 B 00 ff 07',
      '↓ text 7 B Grüße',
      '↑ text 7 B Grüße',
      '↓ text 4 B PONG',
      '↑ text 4 B PING',
    ])
    expect(await textOf(page, '#message-count')).toBe('8 in all')
    await page.getByRole('button', { name: 'Clear' }).click()
    expect(await messagesOf(page)).toEqual([])
  })

  test('connects elsewhere, with a subprotocol, and again when the connection ends', async () => {
    const away = await served.other('--protocols', 'superchat')
    const { host, port } = new URL(away.url)
    const page = await served.open('', {}, [host])
    await page.getByLabel('Address').fill(host)
    // Chromium itself writes to its console that a WebSocket did not come about.
    served.expected = /WebSocket connection to .* failed/
    await page.getByLabel('Subprotocols').fill('chat')
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await assertShows(
      page,
      '#status',
      /^No connection, next attempt in .* s\. Subprotocols were offered \(chat\): the other end may know none/,
    )
    await page.getByRole('button', { name: 'Stop' }).click()

    await page.getByLabel('Subprotocols').fill('chat, superchat')
    await connect(page)
    expect(await textOf(page, '#status')).toBe(`Connected to ${away.url}/, subprotocol superchat`)

    // Now it is not for the subprotocols.
    away.kill('SIGKILL')
    await assertShows(page, '#status', /^(Closed with 1006|No connection), next attempt in \d+\.\d s$/)
    const back = await served.other('--port', port, '--protocols', 'superchat')
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
    const page = await served.open()
    const [address, subprotocols] = [page.getByLabel('Address'), page.getByLabel('Subprotocols')]
    const invalid = async () => [
      await address.getAttribute('aria-invalid'),
      await subprotocols.getAttribute('aria-invalid'),
    ]
    await address.fill('ftp://example.com')
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    expect(await page.getByRole('alert').innerText()).toMatch(/begin with ws:\/\/ or wss:\/\//)
    expect(await invalid()).toEqual(['true', null])
    expect(await focused(page)).toBe('address')
    await address.fill('ws://a b/')
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    expect(await page.getByRole('alert').innerText()).toMatch(/^This is no address/)
    await address.fill(served.server.url)
    await subprotocols.fill('a"b')
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    expect(await page.getByRole('alert').innerText()).toMatch(/“a"b” is no subprotocol/)
    expect(await invalid()).toEqual([null, 'true'])
    expect(await focused(page)).toBe('subprotocols')
    await subprotocols.fill('')
    await address.press('Enter')
    await assertShows(page, '#status', /^Connected to /)
    expect(await page.getByRole('alert').count()).toBe(0)
    expect(await invalid()).toEqual([null, null])
  })

  test('goes on with its attempts when what was entered meanwhile can not be used', async () => {
    let attempts = 0
    const page = await served.open('', {}, [], opened =>
      opened.routeWebSocket(/.*/, socket => {
        attempts++
        void socket.close({ code: 4000 })
      }),
    )
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await assertShows(page, '#status', /next attempt in/)
    await page.getByLabel('Subprotocols').fill('a"b')
    await page.getByLabel('Subprotocols').press('Enter')
    expect(await page.getByRole('alert').innerText()).toMatch(/is no subprotocol/)
    const before = attempts
    await until('further attempts', () => attempts > before + 1)
    // And what can be used is used at once, with the shortest wait after it.
    await page.getByLabel('Subprotocols').fill('chat')
    await page.getByRole('button', { name: 'Connect now' }).click()
    await assertShows(page, '#status', /, next attempt in 0\.\d s\. Subprotocols/)
    expect(await page.getByRole('alert').count()).toBe(0)
  })

  test('does not hammer a server that accepts and closes at once', async () => {
    const waits: number[] = []
    const page = await served.open()
    // What src/built-in/handshake-mirror.ts does with these.
    await page.getByLabel('Subprotocols').fill('shardws.handshake')
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await until('a longer wait', async () => {
      const wait = /^Closed with 1\d+, next attempt in (\d+\.\d) s/.exec(await textOf(page, '#status'))?.[1]
      if (wait !== undefined && Number(wait) !== waits[waits.length - 1]) waits.push(Number(wait))
      return waits.some(seconds => seconds > 0.5)
    })
    expect(waits[0]).toBeLessThanOrEqual(0.5)
  })

  test('lets go of a server that never answers a Close', async () => {
    const silent = await SilentServer.start()
    try {
      const page = await served.open('', {}, [new URL(silent.url).host])
      await page.getByLabel('Address').fill(silent.url)
      await connect(page)
      await page.getByRole('button', { name: 'Close', exact: true }).click()
      await assertShows(page, '#status', /^Closing$/)
      expect(await page.getByLabel('Address').getAttribute('readonly')).not.toBeNull()
      await page.getByRole('button', { name: 'Stop' }).click()
      await assertShows(page, '#status', /^Not connected$/)
      expect(await focused(page)).toBe('connect')
      await page.getByLabel('Address').fill(served.server.url)
      await connect(page)
    } finally {
      await silent.close()
    }
  })

  test('sends nothing where the other end has sent Close and keeps the connection', async () => {
    const silent = await SilentServer.start()
    try {
      const page = await served.open('', {}, [new URL(silent.url).host])
      await page.getByLabel('Address').fill(silent.url)
      await connect(page)
      silent.sendClose()
      const send = page.getByRole('button', { name: 'Send', exact: true })
      await until('the Close to be there', async () => {
        await page.getByLabel('Message', { exact: true }).fill('x')
        await send.click()
        return (await textOf(page, '#send-fault')) !== ''
      })
      expect(await textOf(page, '#send-fault')).toBe('Not connected: there is nobody to send it to')
    } finally {
      await silent.close()
    }
  })

  test('keeps the focus where the user is', async () => {
    const page = await served.open()
    await page.getByLabel('Address').focus()
    for (let i = 0; i < 2; i++) await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('connect')
    await page.keyboard.press('Space')
    await assertShows(page, '#status', /^Connected to /)
    expect(await focused(page)).toBe('send')
    await page.getByRole('button', { name: 'Close', exact: true }).focus()
    await page.keyboard.press('Space')
    await assertShows(page, '#status', /^Closed with 1000$/)
    expect(await focused(page)).toBe('close')
    expect(await page.getByRole('button', { name: 'Close', exact: true }).isDisabled()).toBe(true)
    // What can't be used says why.
    await page.keyboard.press('Space')
    expect(await page.getByRole('alert').innerText()).toBe('Not connected: there is nothing to close')

    await connect(page)
    await page.getByRole('button', { name: 'Disconnect' }).focus()
    await page.keyboard.press('Space')
    await assertShows(page, '#status', /^Closed with 1000$/)
    expect(await focused(page)).toBe('connect')
    expect(await page.getByRole('button', { name: 'Disconnect' }).count()).toBe(0)
  })

  test('says what comes to those who do not see it, and not all of a flood', async () => {
    const page = await served.open()
    await page.getByLabel('Every second').uncheck()
    await connect(page)
    const said = page.locator('#message-news')
    expect(await said.getAttribute('role')).toBe('status')
    await said.evaluate(element => {
      element.dataset.count = '0'
      new MutationObserver(() => {
        element.dataset.count = String(Number(element.dataset.count) + 1)
      }).observe(element, { childList: true })
    })
    await page.getByLabel('Message', { exact: true }).fill('Grüße')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await expect
      .poll(() => said.textContent(), { timeout: 20_000 })
      .toBe('2 messages, the latest: received text, 7 bytes: Grüße')
    await page.locator('#send').evaluate((button: HTMLElement) => {
      for (let i = 0; i < 50; i++) button.click()
    })
    await assertShows(page, '#message-count', /^102 in all/)
    await expect.poll(() => said.textContent(), { timeout: 20_000 }).toMatch(/^\d\d+ messages, the latest/)
    expect(Number(await said.getAttribute('data-count'))).toBeLessThan(6)
  })

  test('plots round-trip times, and changes nothing that would be painted before the answer is there', async () => {
    const page = await served.open('', {}, [], opened => opened.addInitScript(watchRoundTrips))
    expect(await page.getByRole('img', { name: 'Round-trip times: none yet' }).count()).toBe(1)
    await connect(page)
    await page.getByLabel('Every second').uncheck()
    const points = page.locator('#plot circle')
    await until('a first time', async () => (await points.count()) === 1)
    await page.getByRole('button', { name: 'Measure' }).click()
    await until('a second', async () => (await points.count()) === 2)
    await page.getByRole('button', { name: 'Send PING' }).click()
    await until('that of PING', async () => (await points.count()) === 3)
    expect(await textOf(page, '#trip-last')).toMatch(/^[\d.]+ ms$/)
    const label = await page.locator('#plot').getAttribute('aria-label')
    expect(label).toMatch(
      /^3 round-trip times: the last [\d.]+ ms, median [\d.]+ ms, [\d.]+ ms to [\d.]+ ms$/,
    )
    // Those that measure are no messages of the user's.
    expect(await messagesOf(page)).toEqual(['↓ text 4 B PONG', '↑ text 4 B PING'])
    await page.getByLabel('Every second').check()
    await until('more', async () => (await points.count()) >= 5)
    const changes = await page.evaluate(
      () => (globalThis as { roundTripChanges?: number[] }).roundTripChanges,
    )
    expect(changes?.length).toBeGreaterThanOrEqual(4)
    expect(new Set(changes)).toEqual(new Set([0]))
  })

  test('says that an answer is waited for, and that it did not come', async () => {
    const silent = await SilentServer.start()
    try {
      const page = await served.open('', {}, [new URL(silent.url).host], opened => opened.clock.install())
      const measure = page.getByRole('button', { name: 'Measure' })
      expect(await measure.isDisabled()).toBe(true)
      await page.getByLabel('Address').fill(silent.url)
      await connect(page)
      await measure.click()
      await assertShows(page, '#trip-sent', /^1 text .* sent; waiting for an answer$/)
      expect(await measure.isDisabled()).toBe(true)
      await page.clock.fastForward(11_000)
      await assertShows(page, '#trip-sent', /^1 text .* sent, 1 without an answer: not every server echoes$/)
      expect(await measure.isDisabled()).toBe(false)
    } finally {
      await silent.close()
    }
  })

  test('measures every second at its own server only, and shows what it sends if wanted', async () => {
    const away = await served.other()
    const page = await served.open('', {}, [new URL(away.url).host])
    const probing = page.getByLabel('Every second')
    const points = page.locator('#plot circle')
    await connect(page)
    await until('a first time', async () => (await points.count()) === 1)
    await assertShows(page, '#trip-sent', /^1 text “shardws round trip …” sent$/)
    await page.getByRole('button', { name: 'Close', exact: true }).click()
    await assertShows(page, '#status', /^Closed/)

    await page.getByLabel('Address').fill(away.url)
    await connect(page)
    expect(await probing.isChecked()).toBe(false)
    // What was measured elsewhere is gone.
    expect([await points.count(), await page.locator('#trip-sent').isVisible()]).toEqual([0, false])
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.getByLabel('List the texts').check()
    await page.getByRole('button', { name: 'Measure' }).click()
    await until('both', async () => (await messagesOf(page)).length === 2)
    expect(await messagesOf(page)).toEqual([
      expect.stringMatching(/^↓ text \d+ B shardws round trip \d+$/),
      expect.stringMatching(/^↑ text \d+ B shardws round trip \d+$/),
    ])
    // There only those that were asked for.
    expect(await points.count()).toBe(1)
  })

  test('keeps a number of messages, and counts the others', async () => {
    const page = await served.open()
    await page.getByLabel('Every second').uncheck()
    await connect(page)
    await page.locator('#send').evaluate((button: HTMLElement) => {
      for (let i = 0; i < 350; i++) button.click()
    })
    await assertShows(page, '#message-count', /^700 in all, the oldest 500 not shown$/)
    expect(await page.locator('#messages li').count()).toBe(200)

    // As long as the sizes are of messages that nobody sends in a test.
    const line = page.locator('.message').first()
    const boxes = await line.evaluate(element =>
      ['.size', '.preview'].map((name, index) => {
        const cell = element.querySelector(name) as HTMLElement
        if (index === 0) cell.textContent = '30,000,000 B'
        const text = document.createRange()
        text.selectNodeContents(cell)
        const { left, right, height } = text.getBoundingClientRect()
        return { left, right, height }
      }),
    )
    expect(boxes[0].height).toBe(boxes[1].height)
    expect(boxes[0].right).toBeLessThan(boxes[1].left)
  })
})
