// The frame inspector, driven as a user would.
import type { Page } from 'playwright'
import { describe, expect, test } from 'vitest'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'
import { assertShows, connect, focused, messagesOf, ServedPage, textOf } from '../support/served-page.js'
import { until } from '../support/until.js'

const HELLO = '81 85 37 fa 21 3d 7f 9f 4d 51 58'

describe('the frame inspector', needs(chromiumPath(), counterparts.chromium.reason), () => {
  const served = ServedPage.use()

  const field = (page: Page, name: RegExp, frame = 1) =>
    page.getByRole('listbox', { name: `Fields of frame ${frame}` }).getByRole('option', { name })
  const note = (page: Page) => page.getByRole('complementary', { name: 'About the field' })

  async function inspect(page: Page, bytes: string): Promise<void> {
    await page.getByLabel('Bytes of frames').fill(bytes)
  }

  test('draws a frame bit by bit, and explains what is pointed at', async () => {
    const page = await served.open('/#inspector')
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
    await assertShows(
      page,
      '#field-note',
      /opcode\s+0x1, text\s+It begins a text message.*\s+RFC 6455, section 5\.6/,
    )
    // The way to what is linked there is out of the drawing.
    await page.mouse.move(0, 0)
    const link = note(page).getByRole('link')
    await link.hover()
    expect(await link.getAttribute('href')).toBe('https://www.rfc-editor.org/rfc/rfc6455#section-5.6')
    await field(page, /^Masking key/).click()
    expect(await link.getAttribute('href')).toBe('https://www.rfc-editor.org/rfc/rfc6455#section-5.3')
    // What a pointer only crosses is not what it points at.
    const seen = await note(page).evaluate(async element => {
      const titles: (string | null)[] = []
      const point = (kind: string) =>
        document
          .querySelector(`.cell[data-kind=${kind}]`)
          ?.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }))
      await new Promise<void>(resolve => {
        new MutationObserver(records => {
          const added = records.flatMap(({ addedNodes }) => Array.from(addedNodes))
          titles.push(
            ...added.filter(({ nodeName }) => nodeName === 'H3').map(({ textContent }) => textContent),
          )
          if (titles.includes('MASK')) resolve()
        }).observe(element, { childList: true })
        for (const kind of ['fin', 'rsv1', 'mask']) point(kind)
      })
      return titles
    })
    expect(seen).toEqual(['MASK'])
    expect(await page.getByRole('heading', { name: 'Frame 1 text · 5 bytes · masked' }).count()).toBe(1)
    expect(await page.locator('#yielded li').textContent()).toBe('the text “Hello” with this byte')
    const rows = await page.locator('.payload-tables tr').allInnerTexts()
    expect(rows.map(row => row.trim().split(/\s+/).join(' '))).toEqual([
      'masked 7f 9f 4d 51 58',
      '⊕ key 37 fa 21 3d 37',
      '= payload 48 65 6c 6c 6f',
      'ASCII H e l l o',
    ])
  })

  test('is used by keyboard alone, every frame of it', async () => {
    const page = await served.open('/#inspector')
    await page.getByLabel('Example').selectOption('Text in two fragments, a ping between them')
    await page.locator('#step-back').focus()
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('position')
    const chosen = () => page.locator('.drawing').getByRole('option', { selected: true })
    const label = () => chosen().getAttribute('aria-label')
    // The step forward can't be used at the end, but keeps its place.
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('step')
    await page.keyboard.press('Tab')
    expect(await chosen().evaluate(element => element === document.activeElement)).toBe(true)
    expect(await chosen().evaluate(element => getComputedStyle(element).outlineStyle)).toBe('solid')
    expect(await label()).toMatch(/^FIN: 0\. .* RFC 6455, section 5\.4\.$/)
    await page.keyboard.press('ArrowRight')
    expect(await label()).toMatch(/^RSV1/)
    await page.keyboard.press('End')
    expect(await label()).toMatch(/^Payload, masked: 4d/)
    await page.keyboard.press('ArrowDown')
    expect(await label()).toMatch(/^FIN: 1\. Control frames/)
    await page.keyboard.press('ArrowUp')
    expect(await label()).toMatch(/^Payload, masked: 4d/)
    await page.keyboard.press('PageDown')
    await page.keyboard.press('PageDown')
    expect(await label()).toMatch(/^FIN: 1\. The last frame/)
    await page.keyboard.press('PageUp')
    await page.keyboard.press('PageUp')
    expect(await note(page).innerText()).toMatch(/^FIN\s+0\s+More frames/)

    // The note of a field of the first frame, past the others.
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('RFC 6455, section 5.4')
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('Flip this bit')
    expect(await note(page).innerText()).toMatch(/^FIN\s+0/)
    await page.keyboard.press('Enter')
    expect(await page.getByLabel('Bytes of frames').inputValue()).toMatch(/^81 83 /)
    expect(await note(page).innerText()).toMatch(/^FIN\s+1\s/)
    expect(await focused(page)).toBe('Flip this bit')
    // And back to what is chosen.
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Shift+Tab')
    expect(await focused(page)).toMatch(/^FIN: 1\. The first frame/)
  })

  test('keeps the focus on what steps, to the end and back', async () => {
    const page = await served.open('/#inspector')
    await inspect(page, '81 80')
    await page.getByRole('button', { name: 'One byte less' }).focus()
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press('Space')
      expect(await focused(page)).toBe('step-back')
    }
    expect(await page.getByRole('button', { name: 'One byte less' }).isDisabled()).toBe(true)
    expect(await textOf(page, '#pushed')).toBe('Nothing is pushed yet.')
    await expect
      .poll(() => page.locator('#inspector-news').textContent(), { timeout: 20_000 })
      .toBe('Nothing is pushed yet.')
  })

  test('takes hexadecimal and base64, and writes them', async () => {
    const page = await served.open('/#inspector')
    const bytes = page.getByLabel('Bytes of frames')
    await inspect(page, 'gYU3+iE9f59NUVg=')
    expect(await textOf(page, '#bytes-count')).toBe('11 bytes, read as base64')
    expect(await textOf(page, '#yielded')).toMatch(/the text “Hello”/)
    await page.getByRole('button', { name: 'Write as hexadecimal' }).click()
    expect(await bytes.inputValue()).toBe(HELLO)
    await page.getByRole('button', { name: 'Write as base64' }).click()
    expect(await bytes.inputValue()).toBe('gYU3+iE9f59NUVg=')
    // What could be either is what the user says.
    await page.getByLabel('Read as', { exact: true }).selectOption('hexadecimal')
    await inspect(page, '8900')
    expect(await textOf(page, '#bytes-count')).toBe('2 bytes, read as hexadecimal')
    await page.getByLabel('Read as', { exact: true }).selectOption('base64')
    expect(await textOf(page, '#bytes-count')).toBe('3 bytes, read as base64')
    expect(await bytes.inputValue()).toBe('8900')
    await page.getByRole('radio', { name: 'a client' }).check()
    await page.getByLabel('Read as', { exact: true }).selectOption('hex or base64')
    await inspect(page, '81 7e 00 7e 41')
    expect(await page.getByRole('alert').count()).toBe(0)
    expect(await textOf(page, '.frame h3')).toMatch(/text · 126 bytes · incomplete/)
    expect(await textOf(page, '.drawing')).toMatch(/125 bytes of payload did not come yet/)
  })

  test('shows what stands before a fault, and nothing else', async () => {
    const page = await served.open('/#inspector')
    const bytes = page.getByLabel('Bytes of frames')
    await inspect(page, `${HELLO} x`)
    expect(await page.getByRole('alert').innerText()).toBe(
      '“x” is no hexadecimal digit. Only what stands before it is read: 11 bytes.',
    )
    expect(await bytes.getAttribute('aria-invalid')).toBe('true')
    await inspect(page, '89 80 37 fa 21 3d 8')
    expect(await textOf(page, '.frame h3')).toMatch(/^Frame 1\s*ping · 0 bytes/)
    // A bit that is flipped would be written over what is wrong.
    await field(page, /^FIN/).click()
    expect(await note(page).getByRole('button').count()).toBe(0)
    await inspect(page, 'no bytes, at all')
    expect(await page.locator('.frame').count()).toBe(0)
    expect(await page.getByRole('link', { name: 'Link to these bytes' }).count()).toBe(0)
    for (const form of ['base64', 'hexadecimal', 'hex or base64']) {
      await page.getByLabel('Read as', { exact: true }).selectOption(form)
      expect(await bytes.inputValue()).toBe('no bytes, at all')
    }
    const convert = page.getByRole('button', { name: /^Write as/ })
    expect(await convert.isDisabled()).toBe(true)
    await convert.dispatchEvent('click')
    expect(await bytes.inputValue()).toBe('no bytes, at all')
  })

  test('has the three forms of length, and control frames in a message', async () => {
    const page = await served.open('/#inspector')
    const example = page.getByLabel('Example')
    await example.selectOption('Binary, 16-bit length')
    expect(await field(page, /^Extended payload length: 256\./).count()).toBe(1)
    expect(await textOf(page, '.drawing')).toMatch(/224 bytes of payload below, not drawn/)
    // Also those that are in the table only.
    const inTable = page.locator('.payload-tables td[data-choice="63"]').first()
    await inTable.hover()
    await assertShows(page, '#field-note', /^Payload\s+00 .*\s+Byte 64 of 256\. Its meaning/)
    await inTable.click()
    expect(await page.locator('.payload-tables .chosen').allInnerTexts()).toEqual(['00', '·'])
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

  const FAULTS: readonly [name: string, code: string, closeCode: number, at: number, place: RegExp][] = [
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
    ['Wrong: a reserved opcode', 'ERR_FRAME_RESERVED_OPCODE', 1002, 0, /^opcode: 0x3/],
  ]

  test('says of a fault where it is, why, and the close code', async () => {
    const page = await served.open('/#inspector')
    for (const [name, code, closeCode, at, place] of FAULTS) {
      await page.getByLabel('Example').selectOption(name)
      expect(await textOf(page, '.frame .fault')).toMatch(
        new RegExp(
          `^${code} at offset ${at} of the stream, .*The connection is closed with ${closeCode}\\.$`,
        ),
      )
      expect(await field(page, place).getAttribute('class')).toContain('wrong')
      // Nothing else in the byte is.
      expect(await page.locator('.cell.wrong[role=option]').count()).toBe(1)
      // One byte earlier nothing is wrong yet.
      await page.getByRole('slider').fill(String(at))
      expect(await page.locator('.frame .fault').count()).toBe(0)
      await page.getByRole('button', { name: 'One byte more' }).click()
      expect(await page.locator('.frame .fault').count()).toBe(1)
      expect(await textOf(page, '#yielded')).toMatch(
        new RegExp(`^${code}: .* close with ${closeCode}\\s*with this byte$`),
      )
    }
  })

  test('pushes byte by byte', async () => {
    const page = await served.open('/#inspector')
    const slider = page.getByRole('slider', { name: 'Bytes pushed to the decoder' })
    expect(await slider.getAttribute('aria-valuetext')).toBe(
      'Byte 11 of 11 is 0x58, byte 5 of the payload of frame 1. It yields the text “Hello”.',
    )
    await slider.focus()
    await page.keyboard.press('ArrowLeft')
    expect(await textOf(page, '#pushed')).toBe('Byte 10 of 11 is 0x51, byte 4 of the payload of frame 1.')
    expect(await textOf(page, '#yielded')).toBe('nothing so far')
    expect(await page.locator('.bits .later').count()).toBe(8)
    expect(await page.locator('td.later').count()).toBe(4)
    expect(await textOf(page, '.frame h3')).toMatch(/incomplete$/)
    // A bit that is flipped does not push the rest.
    await slider.fill('3')
    await field(page, /^RSV1/).click()
    await page.getByRole('button', { name: 'Flip this bit' }).click()
    expect(await slider.inputValue()).toBe('3')
    expect(await textOf(page, '.frame .fault')).toMatch(/^ERR_FRAME_RESERVED_BITS/)
    expect(await focused(page)).toBe('Flip this bit')
    await page.getByRole('button', { name: 'Flip this bit' }).click()
    expect(await textOf(page, '#pushed')).toMatch(/^Byte 3 of 11 /)
    await slider.focus()
    await page.keyboard.press('Home')
    expect(await textOf(page, '#pushed')).toBe('Nothing is pushed yet.')
    expect(await page.locator('.bits .later').count()).toBe(88)
    for (let i = 0; i < 11; i++) await page.getByRole('button', { name: 'One byte more' }).click()
    expect(await textOf(page, '#yielded')).toMatch(/^the text “Hello”\s*with this byte$/)
  })

  test('follows the slider to the end, through as many frames as there are', async () => {
    const page = await served.open('/#inspector')
    await page.getByRole('radio', { name: 'a client' }).check()
    await inspect(page, '8100'.repeat(20))
    expect(await field(page, /^FIN/, 1).count()).toBe(1)
    const slider = page.getByRole('slider')
    await slider.fill('39')
    expect(await field(page, /^FIN/, 20).count()).toBe(1)
    await slider.focus()
    await page.keyboard.press('ArrowRight')
    expect(await textOf(page, '#pushed')).toMatch(/^Byte 40 of 40 /)
    expect(await field(page, /^FIN/, 20).count()).toBe(1)
    expect(await page.locator('.frame h3').last().innerText()).toMatch(/^Frame 20\s*text · 0 bytes$/)
  })

  test('blames the bit that is wrong, and not the byte that told', async () => {
    const page = await served.open('/#inspector')
    await page.getByLabel('Example').selectOption('Wrong: 64-bit length with the top bit')
    expect(await textOf(page, '.frame .fault')).toMatch(
      /^ERR_FRAME_LENGTH_TOP_BIT at offset 2 of the stream, 0x80, .* the byte at offset 9, /,
    )
    const marked = await page.locator('.bits i').evaluateAll(all => all.map(each => each.className))
    expect(marked.flatMap((name, bit) => (name === 'here' ? [bit] : []))).toEqual([16])
    await page.getByRole('slider').fill('9')
    expect(await page.locator('.frame .fault, .bits .here').count()).toBe(0)
  })

  test('discards what follows a Close', async () => {
    const page = await served.open('/#inspector')
    await page.getByLabel('Example').selectOption('Close, and more behind it')
    expect(await page.locator('.frame h3').allInnerTexts()).toEqual([
      expect.stringMatching(/^Frame 1\s*close · 2 bytes$/),
    ])
    expect(await textOf(page, '#unread')).toMatch(
      /^10 bytes follow behind the Close frame: they are discarded/,
    )
    expect(await textOf(page, '#pushed')).toMatch(/, discarded, behind a Close frame\.$/)
    expect(await page.locator('#yielded li').allInnerTexts()).toEqual(['a close with code 1001'])
  })

  test('shows messages of any size, and says how much of them', async () => {
    const big = await served.other('--max-payload', String(4 * 2 ** 20))
    const page = await served.open('', {}, [new URL(big.url).host])
    await page.getByLabel('Address').fill(big.url)
    await connect(page)
    const size = 2 ** 20 + 1
    await page.getByLabel('Message', { exact: true }).evaluate((input: HTMLTextAreaElement, length) => {
      // Laid out it would take longer than all the rest.
      input.hidden = true
      input.value = 'x'.repeat(length)
    }, size)
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await until('the echo', async () => (await messagesOf(page)).length === 2)
    for (const name of [/^received text, 1,048,577 bytes/, /^sent text, 1,048,577 bytes/]) {
      await page.getByRole('button', { name }).click()
      expect(await textOf(page, '#bytes-source')).toMatch(
        /^The first 65,536 of the 1,048,577 bytes of a message of the playground, encoded again/,
      )
      expect(await textOf(page, '.frame h3')).toMatch(/text · 1,048,577 bytes .*the rest is left out$/)
      expect(await textOf(page, '.drawing')).toMatch(/983,041 bytes of payload left out here/)
      expect(await field(page, /^Extended payload length: 1,048,577\./).count()).toBe(1)
      expect(await page.locator('.fault:visible').count()).toBe(0)
      await page.getByRole('tab', { name: 'Playground' }).click()
    }
    await page.getByRole('tab', { name: 'Frame inspector' }).click()
    // What a server of its defaults would make of it is a tick away.
    await page.getByLabel('Messages of 1 MiB at most').check()
    expect(await textOf(page, '.frame .fault')).toMatch(/^ERR_MESSAGE_TOO_BIG/)
  })

  test('shows the messages of the playground, sent and received', async () => {
    const page = await served.open()
    await page.getByLabel('Every second').uncheck()
    await connect(page)
    await page.getByLabel('Message', { exact: true }).fill('twelve bytes')
    await page.getByLabel('Message', { exact: true }).press('Enter')
    await until('the echo', async () => (await messagesOf(page)).length === 2)
    await page.getByRole('button', { name: /^received text, 12 bytes/ }).click()
    expect(await page.getByRole('tab', { name: 'Frame inspector' }).getAttribute('aria-selected')).toBe(
      'true',
    )
    expect(await page.getByLabel('Bytes of frames').inputValue()).toMatch(/^81 0c 74 77/)
    expect(await page.getByRole('radio', { name: 'a client' }).isChecked()).toBe(true)
    expect(await textOf(page, '#bytes-source')).toMatch(/encoded again: a browser shows neither/)
    await page.goBack()
    await page.getByRole('button', { name: /^sent text, 12 bytes/ }).click()
    expect(await page.getByLabel('Bytes of frames').inputValue()).toMatch(/^81 8c /)
    expect(await page.getByRole('radio', { name: 'a server' }).isChecked()).toBe(true)
    expect(await textOf(page, '#yielded')).toMatch(/the text “twelve bytes”/)
  })

  test('is linked to, bytes and all', async () => {
    const page = await served.open('/#inspector?role=client&hex=8900')
    expect(await textOf(page, '.frame h3')).toMatch(/ping · 0 bytes/)
    await inspect(page, '8a 01 21')
    await page.waitForURL(/#inspector\?role=client&hex=8a0121$/)
    const link = page.getByRole('link', { name: 'Link to these bytes' })
    expect(await link.getAttribute('href')).toBe('#inspector?role=client&hex=8a0121')
    await page.reload()
    expect(await textOf(page, '.frame h3')).toMatch(/pong · 1 byte/)
  })

  test('stays usable with as much as it takes', async () => {
    const page = await served.open('/#inspector')
    await page.getByRole('radio', { name: 'a client' }).check()
    await inspect(page, '8900'.repeat(32_775))
    expect(await textOf(page, '#bytes-count')).toMatch(/^65,550 bytes, read as hexadecimal$/)
    expect(await page.locator('.frame').count()).toBe(8)
    await page.getByRole('slider').fill('40000')
    expect(await page.getByRole('listbox', { name: 'Fields of frame 20000' }).count()).toBe(1)
    await inspect(page, `${'8900'.repeat(32_775)}00`)
    expect(await textOf(page, '#bytes-count')).toMatch(/^The first 65,550 bytes, .*; the rest is left out$/)
  })

  test('takes of 10 MB that are pasted what it can show', async () => {
    const page = await served.open('/#inspector')
    await page.getByRole('radio', { name: 'a client' }).check()
    const bytes = page.getByLabel('Bytes of frames')
    await bytes.evaluate((input: HTMLTextAreaElement) => {
      const clipboardData = new DataTransfer()
      clipboardData.setData('text/plain', '89 00 '.repeat(1_700_000))
      input.value = ''
      input.dispatchEvent(new ClipboardEvent('paste', { clipboardData, cancelable: true, bubbles: true }))
    })
    expect(await textOf(page, '#bytes-count')).toMatch(
      /^The first 65,550 bytes, read as hexadecimal; the rest/,
    )
    // The browser lays out all that is in the field, which takes seconds.
    expect((await bytes.inputValue()).length).toBe(8 * 65_550)
  })
})
