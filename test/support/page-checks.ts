import type { Page } from 'playwright'

/** What can be said about a page's look and its accessibility without looking. Each returns what is wrong. */

/** Roles of what a user operates or reads as one thing; each must have a name. */
const NAMED = new Set([
  'button',
  'checkbox',
  'combobox',
  'complementary',
  'image',
  'img',
  'link',
  'listbox',
  'list',
  'option',
  'radio',
  'region',
  'slider',
  'tab',
  'table',
  'tablist',
  'tabpanel',
  'textbox',
])
/** Lists that say what they are by where they stand. */
const UNNAMED_LISTS = 1

interface AccessibleNode {
  ignored: boolean
  role?: { value: string }
  name?: { value: string }
}

/** Things without a name for a screen reader. */
export async function unnamed(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page)
  const { nodes } = (await session.send('Accessibility.getFullAXTree')) as { nodes: AccessibleNode[] }
  const faults = nodes
    .filter(({ ignored, role }) => !ignored && NAMED.has(role?.value ?? ''))
    .filter(({ name }) => (name?.value ?? '').trim() === '')
    .map(({ role }) => role?.value ?? '')
  // The steps of the accept key: an ordered list under its heading.
  const lists = faults.filter(role => role === 'list')
  return lists.length <= UNNAMED_LISTS ? faults.filter(role => role !== 'list') : faults
}

/** Texts that need more contrast with what is behind them: WCAG 2.2, 1.4.3, level AA. */
export function lowContrast(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const parse = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number)
    const luminance = (rgb: readonly number[]): number => {
      const [r, g, b] = rgb
        .slice(0, 3)
        .map(value => (value <= 10 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4))
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const behind = (element: Element | null): number[] => {
      for (let at = element; at !== null; at = at.parentElement) {
        const color = parse(getComputedStyle(at).backgroundColor)
        if (color[3] !== 0) return color
      }
      return [255, 255, 255]
    }
    const faults = new Set<string>()
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement as HTMLElement
      if ((node.textContent ?? '').trim() === '' || element.closest('noscript, svg, option') !== null)
        continue
      if (!element.checkVisibility()) continue
      const [one, other] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))]
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
      if (ratio < 4.5)
        faults.add(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${node.textContent}`)
    }
    return [...faults]
  })
}

/** What is wider than the page, and labels that are cut off. */
export function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const faults: string[] = []
    const { scrollWidth, clientWidth } = document.documentElement
    if (scrollWidth > clientWidth) faults.push(`the page is ${scrollWidth} wide and has ${clientWidth}`)
    for (const element of document.querySelectorAll<HTMLElement>('main *, header *')) {
      if (!element.checkVisibility() || element.closest('.unseen, svg') !== null) continue
      const box = element.getBoundingClientRect()
      const name = `${element.tagName} ${element.className} ${element.textContent?.slice(0, 30)}`
      if (box.right > clientWidth + 0.5 || box.left < -0.5) faults.push(`beyond the edge: ${name}`)
      const isCut = element.matches('.label, button, legend, h2, h3, th, td, .ruler')
      const mayBe = element.matches('.message, .single .label')
      if (isCut && !mayBe && element.scrollWidth > element.clientWidth + 1) faults.push(`cut off: ${name}`)
    }
    return faults
  })
}

/** Pairs of texts of which one lies on the other. */
export function overlapping(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const boxes: { node: Node; text: string; box: DOMRect }[] = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement as HTMLElement
      const text = (node.textContent ?? '').trim()
      // The note is over what is under it on purpose, on a phone.
      if (
        text === '' ||
        !element.checkVisibility() ||
        getComputedStyle(element).clipPath !== 'none' ||
        element.closest('.unseen, .note, option, noscript') !== null
      )
        continue
      const range = document.createRange()
      range.selectNodeContents(node)
      for (const box of range.getClientRects()) boxes.push({ node, text: text.slice(0, 30), box })
    }
    const faults: string[] = []
    for (const [index, one] of boxes.entries()) {
      for (const other of boxes.slice(index + 1)) {
        // What is cut off with dots has a box for each of both lengths.
        if (one.node === other.node) continue
        const width = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left)
        const height = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top)
        // Lines of text reach into each other's leading.
        if (width > 1 && height > 4) faults.push(`${one.text} | ${other.text}`)
      }
    }
    return faults
  })
}
