/** Milliseconds between two announcements. */
const REST_MS = 1000

/**
 * Says what has happened to those who do not see it: an element with the role `status`. However much happens, there is
 * one announcement a second, of how things are then.
 */
export class Announcer {
  readonly #element: HTMLElement
  #text: (() => string) | undefined

  constructor(element: HTMLElement) {
    this.#element = element
  }

  /** @param text asked for when it is said; what was to be said before is not said any more */
  announce(text: () => string): void {
    const isDue = this.#text !== undefined
    this.#text = text
    if (isDue) return
    setTimeout(() => {
      this.#element.textContent = this.#text?.() ?? ''
      this.#text = undefined
    }, REST_MS)
  }
}
