import { byId } from './dom.js'
import { VIEWS, type View } from './route.js'

/** The three views as tabs (ARIA APG): arrow keys go from one to the next, which is shown at once. */
export class Tabs {
  readonly #changed: (view: View) => void
  #view: View = VIEWS[0]

  /** @param changed is told when the user goes to another view */
  constructor(changed: (view: View) => void) {
    this.#changed = changed
    for (const [index, view] of VIEWS.entries()) {
      const tab = tabOf(view)
      tab.addEventListener('click', () => this.#go(view))
      tab.addEventListener('keydown', event => {
        const next = nextIndex(event.key, index)
        if (next === undefined) return
        event.preventDefault()
        this.#go(VIEWS[next])
      })
    }
  }

  get view(): View {
    return this.#view
  }

  show(view: View): void {
    this.#view = view
    // The focus of a tab goes with what is selected, also when the browser goes back.
    if (document.activeElement?.getAttribute('role') === 'tab') tabOf(view).focus()
    for (const each of VIEWS) {
      const isShown = each === view
      const tab = tabOf(each)
      tab.setAttribute('aria-selected', String(isShown))
      tab.tabIndex = isShown ? 0 : -1
      byId(`panel-${each}`).hidden = !isShown
    }
  }

  #go(view: View): void {
    if (view === this.#view) return
    this.show(view)
    this.#changed(view)
  }
}

function tabOf(view: View): HTMLElement {
  return byId(`tab-${view}`)
}

function nextIndex(key: string, index: number): number | undefined {
  switch (key) {
    case 'ArrowRight':
      return (index + 1) % VIEWS.length
    case 'ArrowLeft':
      return (index + VIEWS.length - 1) % VIEWS.length
    case 'Home':
      return 0
    case 'End':
      return VIEWS.length - 1
    default:
      return undefined
  }
}
