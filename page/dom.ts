/** The little that the views need of the DOM beyond what it is. */

/**
 * The element of index.html with this id.
 *
 * @param type what it is, where that matters
 * @throws Error when there is none of that type
 */
export function byId<Type extends Element = HTMLElement>(
  id: string,
  type: abstract new (...args: never[]) => Type = HTMLElement as never,
): Type {
  const element = document.getElementById(id)
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} ${id}`)
  return element
}

type Attributes = Readonly<Record<string, string>>

/** A new element. */
export function create<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** A new element of SVG. */
export function createSvg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string | number>>,
  ...children: (Node | string)[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  element.append(...children)
  return element
}

/** Shows a text where there is one, and else hides the element. */
export function say(element: HTMLElement, text: string | undefined): void {
  element.hidden = text === undefined
  element.textContent = text ?? ''
}

/** What a button does. One that can't now says so and does nothing, but keeps the focus (see `disable`). */
export function onClick(id: string, act: () => void): void {
  const button = byId(id, HTMLButtonElement)
  button.addEventListener('click', () => {
    if (!isDisabled(button)) act()
  })
}

/**
 * Whether a button can be used now. Not by `disabled`: that would take the focus from it, and who uses the keyboard would
 * begin again at the top of the page.
 */
export function disable(id: string, isOff: boolean): void {
  byId(id, HTMLButtonElement).setAttribute('aria-disabled', String(isOff))
}

export function isDisabled(button: HTMLElement): boolean {
  return button.getAttribute('aria-disabled') === 'true'
}
