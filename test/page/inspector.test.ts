// The frame inspector, driven as a user would.
import { describe, expect, test } from 'vitest'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'

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
    const page = await served.open('/#inspector')
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
    const page = await served.open('/#inspector')
    await inspect(page, 'gYU3+iE9f59NUVg=')
    expect(await textOf(page, '#bytes-count')).toBe('11 bytes, read as base64')
    expect(await textOf(page, '#yielded')).toMatch(/the text “Hello”/)
    await page.getByLabel('Form', { exact: true }).selectOption('hexadecimal')
    expect(await page.getByLabel('Bytes of frames').inputValue()).toBe(HELLO)
    await inspect(page, `${HELLO} x`)
    expect(await page.getByRole('alert').innerText()).toBe('“x” is no hexadecimal digit')
    await page.getByRole('radio', { name: 'a client' }).check()
    await inspect(page, '81 7e 00 7e 41')
    expect(await page.getByRole('alert').count()).toBe(0)
    expect(await textOf(page, '.frame h3')).toMatch(/text · 126 bytes · incomplete/)
    expect(await textOf(page, '.drawing')).toMatch(/125 bytes of payload did not come yet/)
  })

  test('has the three forms of length, and control frames in a message', async () => {
    const page = await served.open('/#inspector')
    const example = page.getByLabel('Example')
    await example.selectOption('Binary, 16-bit length')
    expect(await field(page, /^Extended payload length: 256\./).count()).toBe(1)
    expect(await textOf(page, '.drawing')).toMatch(/224 bytes of payload below, not drawn/)
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
    const page = await served.open('/#inspector')
    await page.getByLabel('Example').selectOption(name)
    const fault = await textOf(page, '.frame .fault')
    expect(fault).toMatch(
      new RegExp(`^${code} at offset ${at} of the stream, .*The connection is closed with ${closeCode}\\.$`),
    )
    expect(await field(page, place).getAttribute('class')).toContain('wrong')
    // One byte earlier nothing is wrong yet.
    await page.getByRole('slider').fill(String(at))
    expect(await page.locator('.frame .fault').count()).toBe(0)
    await page.getByRole('button', { name: 'One byte more' }).click()
    expect(await page.locator('.frame .fault').count()).toBe(1)
    expect(await textOf(page, '#yielded')).toMatch(
      new RegExp(`^${code}: .* close with ${closeCode}\\s*with this byte$`),
    )
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
    await page.keyboard.press('Home')
    expect(await textOf(page, '#pushed')).toBe('Nothing is pushed yet.')
    expect(await page.locator('.bits .later').count()).toBe(88)
    for (let i = 0; i < 11; i++) await page.getByRole('button', { name: 'One byte more' }).click()
    expect(await textOf(page, '#yielded')).toMatch(/^the text “Hello”\s*with this byte$/)
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
    expect(await textOf(page, '#bytes-count')).toMatch(/1 byte more are left out$/)
  })
})
