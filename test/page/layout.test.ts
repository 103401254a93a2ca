// What all views have in common: how they look, how one gets from one to the other, who can use them.
import { execFile } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'
import { lowContrast, overflowing, overlapping, unnamed } from '../support/page-checks.js'
import { assertShows, connect, focused, messagesOf, ServedPage, textOf } from '../support/served-page.js'
import { until } from '../support/until.js'

const PHONE = { hasTouch: true, isMobile: true }
/** Pictures of the views as they are now. */
const SCREENSHOTS = 'build/screenshots'

/** The width and height of a PNG, in pixels. */
async function sizeOf(path: string): Promise<{ width: number; height: number }> {
  const picture = await readFile(path)
  return { width: picture.readUInt32BE(16), height: picture.readUInt32BE(20) }
}

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
    expect(await focused(page)).toBe('address')
    await page.goBack()
    expect(await page.getByRole('tabpanel', { name: 'Handshake' }).isVisible()).toBe(true)
    expect(await page.getByRole('tabpanel').count()).toBe(1)
    // The focus of a tab is not left on one that is not selected any more.
    await tab('Handshake').focus()
    await page.goBack()
    expect([
      await page.getByRole('tabpanel', { name: 'inspector' }).isVisible(),
      await isActive('Frame inspector'),
    ]).toEqual([true, true])
  })

  test('are announced by name', async () => {
    const page = await served.open()
    expect(await page.locator('body').ariaSnapshot()).toMatch(
      /heading "shardws" \[level=1\][\s\S]*tab "Playground" \[selected\][\s\S]*button "Dark theme"[\s\S]*tabpanel "Playground"[\s\S]*heading "Connection" \[level=2\][\s\S]*textbox "Address"/,
    )
  })

  const looks = (['light', 'dark'] as const).flatMap(colorScheme =>
    [1280, 768, 360, 320].map(width => ({ colorScheme, width })),
  )
  test.each(looks)('are readable, $colorScheme, $width pixels wide', async ({ colorScheme, width }) => {
    const phone = width < 400 ? PHONE : {}
    const page = await served.open('', { ...phone, viewport: { width, height: 800 }, colorScheme })
    const look = async (view: string, isPictured = false) => {
      expect.soft(await overflowing(page), view).toEqual([])
      expect.soft(await overlapping(page), view).toEqual([])
      expect.soft(await lowContrast(page), view).toEqual([])
      expect.soft(await unnamed(page), view).toEqual([])
      // To be looked at.
      const path = join(SCREENSHOTS, `${view}-${colorScheme}-${width}.png`)
      if (isPictured) await page.screenshot({ path, fullPage: true })
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
    await look('playground', true)
    await page.getByRole('tab', { name: 'Frame inspector' }).click()
    await page.getByLabel('Example').selectOption('Text in two fragments, a ping between them')
    await page.locator('.cell').first().click()
    await look('inspector', true)
    for (const name of ['Binary, 64-bit length, only begun', 'Wrong: not UTF-8']) {
      await page.getByLabel('Example').selectOption(name)
      await page.getByRole('slider').fill('7')
      await page.locator('.cell').first().click()
      await look(name)
    }
    await page.getByRole('slider').fill('100')
    await look('fault', true)
    await page.getByLabel('Bytes of frames').fill('81 85 37 fa 21 3d 7f !')
    await look('what can not be read')
    await page.getByRole('tab', { name: 'Handshake' }).click()
    await assertShows(page, '#accept-verdict', /^✓/)
    await page.getByRole('option', { name: /^Sec-WebSocket-Key/ }).click()
    await look('handshake', true)
  })

  test('are in the README, as they are', async () => {
    const path = join(SCREENSHOTS, 'inspector.png')
    await mkdir(SCREENSHOTS, { recursive: true })
    await promisify(execFile)(process.execPath, ['scripts/screenshot.mjs', path], { timeout: 50_000 })
    const [made, shown] = await Promise.all([sizeOf(path), sizeOf('docs/inspector.png')])
    expect(made.width).toBe(shown.width)
    // Fonts of another system may break lines elsewhere.
    expect(Math.abs(made.height - shown.height)).toBeLessThan(0.05 * shown.height)
  })

  test('have a theme of their own, if the user wants', async () => {
    const page = await served.open('', { colorScheme: 'light' })
    const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
    const light = await paper()
    const button = page.getByRole('button', { name: 'Dark theme' })
    expect(await button.getAttribute('aria-pressed')).toBe('false')
    // Until it is used, the system decides.
    await page.emulateMedia({ colorScheme: 'dark' })
    await expect.poll(paper).not.toBe(light)
    expect(await button.getAttribute('aria-pressed')).toBe('true')
    await page.emulateMedia({ colorScheme: 'light' })
    await expect.poll(paper).toBe(light)
    await button.click()
    expect(await button.getAttribute('aria-pressed')).toBe('true')
    const dark = await paper()
    expect(dark).not.toBe(light)
    // It is there before anything is painted, not only when the page's script has run.
    await page.route('**/page.js', route => route.abort())
    served.expected = /ERR_FAILED/
    await page.reload()
    expect(await paper()).toBe(dark)
    await page.unroute('**/page.js')
    await page.reload()
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

  test('show the link of a long note on a small screen, and what is selected in forced colours', async () => {
    const page = await served.open('/#inspector', { forcedColors: 'active' })
    const backgrounds = await page
      .locator('#theme, [role=tab][aria-selected=true]')
      .evaluateAll(all => all.map(each => getComputedStyle(each).backgroundColor))
    expect(new Set(backgrounds).size).toBe(2)
    for (const [width, height] of [
      [320, 568],
      [640, 320],
    ]) {
      await page.setViewportSize({ width, height })
      await page.locator('.cell[data-kind=key]').first().click()
      const [note, link] = await Promise.all(
        ['#field-note', '#field-note a'].map(selector => page.locator(selector).boundingBox()),
      )
      if (note === null || link === null) throw new Error('there is no note')
      expect(link.y).toBeGreaterThan(note.y)
      expect(link.y + link.height).toBeLessThanOrEqual(Math.min(height, note.y + note.height))
    }
  })

  test('work by touch', async () => {
    const page = await served.open('/#inspector', { ...PHONE, viewport: { width: 360, height: 740 } })
    await page.locator('.cell[data-kind=mask]').tap()
    expect(await textOf(page, '#field-note')).toMatch(/^MASK\s+1/)
  })
})
