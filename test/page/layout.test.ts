// What all views have in common: how they look, how one gets from one to the other, who can use them.
import { describe, expect, test } from 'vitest'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'

describe('all views', needs(chromiumPath(), counterparts.chromium.reason), () => {
  const served = ServedPage.use()

  test('are tabs that follow the arrow keys and the address', async () => {
    const page = await served.open()
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
    const page = await served.open()
    expect(await page.locator('body').ariaSnapshot()).toMatch(
      /heading "shardws" \[level=1\][\s\S]*tab "Playground" \[selected\][\s\S]*button "Dark theme"[\s\S]*tabpanel "Playground"[\s\S]*heading "Connection" \[level=2\][\s\S]*textbox "Address"/,
    )
  })

  const looks = (['light', 'dark'] as const).flatMap(colorScheme =>
    [1280, 768, 360].map(width => ({ colorScheme, width })),
  )
  test.each(looks)('are readable, $colorScheme, $width pixels wide', async ({ colorScheme, width }) => {
    const phone = width === 360 ? PHONE : {}
    const page = await served.open('', { ...phone, viewport: { width, height: 800 }, colorScheme })
    const check = async (view: string) => {
      expect.soft(await overflowing(page), view).toEqual([])
      expect.soft(await overlapping(page), view).toEqual([])
      expect.soft(await lowContrast(page), view).toEqual([])
      expect.soft(await unnamed(page), view).toEqual([])
    }
    await connect(page)
    await page.getByRole('button', { name: 'Send PING' }).click()
    await page
      .getByLabel('Message', { exact: true })
      .fill(`A line that is longer than a phone is wide. ${'x'.repeat(500)}`)
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await page.getByLabel('Code', { exact: true }).fill('1')
    await page.getByRole('button', { name: 'Close', exact: true }).click()
    await until('the echo', async () => (await messagesOf(page)).length === 4)
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
    const page = await served.open('', { colorScheme: 'light' })
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
    const page = await served.open('', { reducedMotion: 'reduce' })
    const durations = () =>
      page.evaluate(() =>
        Array.from(document.querySelectorAll('*'), each => getComputedStyle(each).transitionDuration),
      )
    expect(new Set(await durations())).toEqual(new Set(['0s']))
    await page.emulateMedia({ reducedMotion: 'no-preference' })
    expect(new Set(await durations()).size).toBe(2)
  })

  test('say why they can not be there', async () => {
    served.expected = /404|CompileError|TypeError/
    const page = await served.open('', {}, [], opened =>
      opened.route('**/codec.wasm', route => route.fulfill({ status: 404 })),
    )
    expect(await page.getByRole('alert').innerText()).toMatch(/needs WebAssembly with SIMD/)
  })

  test('work by touch', async () => {
    const page = await served.open('/#inspector', PHONE)
    await page.locator('.cell[data-kind=mask]').tap()
    expect(await textOf(page, '#field-note')).toMatch(/^MASK\s+1/)
  })
})
