import { create } from './dom.js'
import { citationOf, linkOf, type Note } from './field-notes.js'

/** Where the notes on what is chosen appear. */
export class NotePanel {
  readonly #root: HTMLElement

  constructor(root: HTMLElement) {
    this.#root = root
  }

  /** @param kind colours it as what it is about */
  show({ title, value, text, source }: Note, kind: string, ...more: HTMLElement[]): void {
    this.#root.dataset.kind = kind
    this.#root.replaceChildren(
      create('h3', {}, title),
      create('p', { class: 'note-value' }, value),
      create('p', {}, text),
      create(
        'p',
        { class: 'source' },
        create(
          'a',
          { href: linkOf(source), target: '_blank', rel: 'noopener noreferrer' },
          citationOf(source),
        ),
      ),
      ...more,
    )
  }

  /** Nothing is chosen. */
  clear(hint: string): void {
    delete this.#root.dataset.kind
    this.#root.replaceChildren(create('p', { class: 'quiet' }, hint))
  }
}
