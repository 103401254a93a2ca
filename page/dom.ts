/** The little that the views need of the DOM beyond what it is. */

/**
 * The element of index.html with this id.
 *
 * @throws Error when there is none of that type
 */
export function byId<Type extends Element>(id: string, type: abstract new (...args: never[]) => Type): Type {
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
