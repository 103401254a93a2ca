/** One of the things to look at. */
export interface Choice {
  /** Which listbox, or other drawing of the same, it is in: its `data-list`. */
  readonly list: string
  /** Which of its options it is: the `data-choice` of everything that belongs to it. */
  readonly index: number
}

/** Milliseconds that a pointer rests; on its way elsewhere it crosses others in less. */
const REST_MS = 80

/** What the user looks at. */
export interface ChoiceEvents {
  chosen(choice: Choice): void
  /** The pointer rests over it. When it leaves, nothing changes, so that it can go to what is said about this one. */
  pointed(choice: Choice): void
}

/**
 * Listboxes (ARIA APG) that somebody else has drawn, of which one thing is chosen: by click, touch or arrow keys, which go
 * from one listbox on to the next; a pointer looks at others when it is over them. All of them together are one tab
 * stop (a roving tabindex), so that Tab goes from what is chosen to what is said about it and not through the others.
 */
export class Choices {
  readonly #root: HTMLElement
  readonly #events: ChoiceEvents
  #options: HTMLElement[] = []
  #resting: ReturnType<typeof setTimeout> | undefined

  /** @param root has the listboxes, which may change: `refresh` is told then */
  constructor(root: HTMLElement, events: ChoiceEvents) {
    this.#root = root
    this.#events = events
    root.addEventListener('click', event => {
      const choice = choiceOf(event.target)
      if (choice === undefined) return
      this.choose(choice)
      this.#optionOf(choice)?.focus({ preventScroll: true })
    })
    root.addEventListener('focusin', event => {
      const choice = choiceOf(event.target)
      if (choice !== undefined) this.choose(choice)
    })
    root.addEventListener('pointerover', event => {
      clearTimeout(this.#resting)
      const choice = choiceOf(event.target)
      if (choice !== undefined) this.#resting = setTimeout(() => events.pointed(choice), REST_MS)
    })
    root.addEventListener('pointerleave', () => clearTimeout(this.#resting))
    root.addEventListener('keydown', event => this.#press(event))
  }

  /** What is in the root is new. `chosen` is still chosen if it is there. */
  refresh(chosen: Choice | undefined): void {
    this.#options = Array.from(this.#root.querySelectorAll<HTMLElement>('[role=option]'))
    this.#mark(chosen)
  }

  choose(choice: Choice): void {
    this.#mark(choice)
    this.#events.chosen(choice)
  }

  #mark(choice: Choice | undefined): void {
    clearTimeout(this.#resting)
    for (const element of this.#root.querySelectorAll<HTMLElement>('[data-choice]')) {
      element.classList.toggle('chosen', isSame(choiceOf(element), choice))
    }
    const stop = (choice && this.#optionOf(choice)) ?? this.#options[0]
    for (const option of this.#options) {
      option.setAttribute('aria-selected', String(isSame(choiceOf(option), choice)))
      option.tabIndex = option === stop ? 0 : -1
    }
  }

  #optionOf(choice: Choice): HTMLElement | undefined {
    return this.#options.find(option => isSame(choiceOf(option), choice))
  }

  #press(event: KeyboardEvent): void {
    const at = this.#options.indexOf(event.target as HTMLElement)
    if (at === -1 || event.altKey || event.ctrlKey || event.metaKey) return
    const next = this.#next(event.key, at)
    if (next === undefined) return
    event.preventDefault()
    // Which chooses it.
    this.#options[Math.max(0, Math.min(this.#options.length - 1, next))].focus()
  }

  #next(key: string, at: number): number | undefined {
    const list = listOf(this.#options[at])
    const first = this.#options.findIndex(option => listOf(option) === list)
    switch (key) {
      case 'ArrowRight':
      case 'ArrowDown':
        return at + 1
      case 'ArrowLeft':
      case 'ArrowUp':
        return at - 1
      case 'Home':
        return first
      case 'End':
        return first + this.#options.filter(option => listOf(option) === list).length - 1
      case 'PageDown': {
        const next = this.#options.findIndex((option, index) => index > at && listOf(option) !== list)
        return next === -1 ? undefined : next
      }
      case 'PageUp': {
        if (first === 0) return undefined
        const before = listOf(this.#options[first - 1])
        return this.#options.findIndex(option => listOf(option) === before)
      }
      default:
        return undefined
    }
  }
}

function choiceOf(target: EventTarget | null): Choice | undefined {
  const element = target instanceof Element ? target.closest<HTMLElement>('[data-choice]') : null
  return element === null ? undefined : { list: listOf(element), index: Number(element.dataset.choice) }
}

function listOf(element: Element): string {
  return element.closest<HTMLElement>('[data-list]')?.dataset.list ?? ''
}

function isSame(one: Choice | undefined, other: Choice | undefined): boolean {
  return one?.list === other?.list && one?.index === other?.index
}
