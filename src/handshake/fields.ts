import { isNamed, isWhiteSpace } from './token.js'

const CR = 0x0d

/**
 * A walk over the header lines of a head. It relies on `HeadReader` having passed the head: every line has a colon
 * and ends with CR LF, a CR is nowhere else, and a blank line is last.
 *
 *     for (const lines = new FieldLines(head); lines.next(); ) lines.value
 */
export class FieldLines {
  readonly #head: string
  /** Where the next line begins. */
  #next: number
  /** The current line: where its name begins and ends. */
  #start = 0
  #colon = 0

  constructor(head: string) {
    this.#head = head
    this.#next = head.indexOf('\r') + 2
  }

  /** Goes to the next line; false when there is none. */
  next(): boolean {
    const head = this.#head
    const start = this.#next
    if (head.charCodeAt(start) === CR) return false
    this.#start = start
    this.#colon = head.indexOf(':', start)
    this.#next = head.indexOf('\r', this.#colon) + 2
    return true
  }

  get nameLength(): number {
    return this.#colon - this.#start
  }

  /** The name in lower case. */
  get name(): string {
    return this.#head.slice(this.#start, this.#colon).toLowerCase()
  }

  /** Whether the line has this lower-case name. */
  isNamed(name: string): boolean {
    return this.#colon - this.#start === name.length && isNamed(this.#head, this.#start, name)
  }

  /** The value with all the white space around it. */
  get untrimmedValue(): string {
    return this.#head.slice(this.#colon + 1, this.#next - 2)
  }

  /** The value without the white space around it (RFC 9110 5.5). */
  get value(): string {
    const head = this.#head
    let start = this.#colon + 1
    let end = this.#next - 2
    while (start < end && isWhiteSpace(head.charCodeAt(start))) start++
    while (end > start && isWhiteSpace(head.charCodeAt(end - 1))) end--
    return head.slice(start, end)
  }
}

/** What the values of a field that comes in several lines are joined with: lists (RFC 9110 5.3), and cookies (RFC 9113 8.2.3). */
export function separatorOf(name: string): string {
  return name === 'cookie' ? '; ' : ', '
}
