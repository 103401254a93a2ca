/** What the user looks at. */
export interface ChoiceEvents {
  chosen(choice: number): void
  /** The pointer is over it. */
  pointed(choice: number): void
  /** The pointer is over none of them any more. */
  left(): void
}

/**
 * A listbox (ARIA APG) over what somebody else has drawn: one thing is chosen by click, touch or arrow keys, and a
 * pointer looks at others while it is over them. What belongs to a choice has its number in `data-choice`; the first of
 * these elements has the role `option`.
 */
export class ChoiceList {
  readonly #root: HTMLElement
  readonly #count: number
  readonly #events: ChoiceEvents
  #chosen = -1

  /**
   * @param root has the role `listbox` and an id
   */
  constructor(root: HTMLElement, count: number, events: ChoiceEvents) {
    this.#root = root
    this.#count = count
    this.#events = events
    root.tabIndex = 0
    for (const option of root.querySelectorAll('[role=option]')) {
      option.id = `${root.id}-${option.getAttribute('data-choice') ?? ''}`
    }
    root.addEventListener('click', event => this.choose(choiceAt(event)))
    root.addEventListener('pointerover', event => {
      const choice = choiceAt(event)
      if (choice >= 0) events.pointed(choice)
    })
    root.addEventListener('pointerleave', () => events.left())
    root.addEventListener('focus', () => this.choose(Math.max(0, this.#chosen)))
    root.addEventListener('keydown', event => this.#press(event))
  }

  choose(choice: number): void {
    if (choice < 0 || choice >= this.#count) return
    this.mark(choice)
    this.#events.chosen(choice)
  }

  /** As `choose`, but nobody is told; -1 for nothing. */
  mark(choice: number): void {
    this.#chosen = choice
    this.#root.removeAttribute('aria-activedescendant')
    for (const element of this.#root.querySelectorAll<HTMLElement>('[data-choice]')) {
      const isChosen = element.dataset.choice === String(choice)
      element.classList.toggle('chosen', isChosen)
      if (element.getAttribute('role') !== 'option') continue
      element.setAttribute('aria-selected', String(isChosen))
      if (isChosen) this.#root.setAttribute('aria-activedescendant', element.id)
    }
  }

  #press(event: KeyboardEvent): void {
    const next = this.#next(event.key)
    if (next === undefined) return
    event.preventDefault()
    this.choose(Math.max(0, Math.min(this.#count - 1, next)))
  }

  #next(key: string): number | undefined {
    switch (key) {
      case 'ArrowRight':
      case 'ArrowDown':
        return this.#chosen + 1
      case 'ArrowLeft':
      case 'ArrowUp':
        return this.#chosen - 1
      case 'Home':
        return 0
      case 'End':
        return this.#count - 1
      default:
        return undefined
    }
  }
}

function choiceAt(event: Event): number {
  const target = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-choice]') : null
  return Number(target?.dataset.choice ?? -1)
}
