import { FieldLines, separatorOf } from './fields.js'

/**
 * An opening request, as facts. It keeps the head as one string and parses when it is asked, since most connections
 * live long and few look at their request again: about 60 bytes beside the string.
 */
export class Request {
  readonly #head: string
  readonly #methodEnd: number
  readonly #targetEnd: number
  /** Weak, since the parsed headers take several times the memory of the head. */
  #headers: WeakRef<Readonly<Record<string, string>>> | undefined = undefined

  /** @param head what a `HeadReader` has passed */
  constructor(head: string) {
    this.#head = head
    this.#methodEnd = head.indexOf(' ')
    this.#targetEnd = head.indexOf(' ', this.#methodEnd + 1)
  }

  /** The whole head, one character per byte. */
  get head(): string {
    return this.#head
  }

  /** As it was sent; methods are case-sensitive (RFC 9110 9.1). */
  get method(): string {
    return this.#head.slice(0, this.#methodEnd)
  }

  /** The request target as it was sent, such as `/chat?room=1`. */
  get url(): string {
    return this.#head.slice(this.#methodEnd + 1, this.#targetEnd)
  }

  /** Such as `1.1`. */
  get version(): string {
    return this.#head.slice(this.#targetEnd + 6, this.#targetEnd + 9)
  }

  /**
   * Headers by lower-case name, in an object without prototype. What came in several lines is joined with `, `,
   * cookies with `; `. The object is not kept for long: it is parsed again when it is asked for much later.
   */
  get headers(): Readonly<Record<string, string>> {
    const parsed = this.#headers?.deref()
    if (parsed !== undefined) return parsed
    const headers: Record<string, string> = Object.create(null)
    for (const lines = new FieldLines(this.#head); lines.next(); ) {
      const name = lines.name
      const earlier = headers[name]
      headers[name] = earlier === undefined ? lines.value : earlier + separatorOf(name) + lines.value
    }
    this.#headers = new WeakRef(headers)
    return headers
  }

  /** The value of one header, by its name in any case, without parsing the others. */
  get(name: string): string | undefined {
    const wanted = name.toLowerCase()
    let value: string | undefined
    for (const lines = new FieldLines(this.#head); lines.next(); ) {
      if (!lines.isNamed(wanted)) continue
      value = value === undefined ? lines.value : value + separatorOf(wanted) + lines.value
    }
    return value
  }
}
