/** A queue of times, in milliseconds. It takes memory only when it grows beyond what it ever held. */
export class TimeQueue {
  #times: Float64Array
  #head = 0
  #length = 0

  /** @param capacity how many it holds before it has to grow; 1 or more */
  constructor(capacity: number) {
    this.#times = new Float64Array(2 ** Math.ceil(Math.log2(capacity)))
  }

  get length(): number {
    return this.#length
  }

  /** The time that `shift` would return; undefined when there is none. */
  get first(): number | undefined {
    return this.#length === 0 ? undefined : this.#times[this.#head]
  }

  push(time: number): void {
    if (this.#length === this.#times.length) this.#grow()
    this.#times[(this.#head + this.#length++) & (this.#times.length - 1)] = time
  }

  /** There must be one. */
  shift(): number {
    const time = this.#times[this.#head]
    this.#head = (this.#head + 1) & (this.#times.length - 1)
    this.#length--
    return time
  }

  #grow(): void {
    const old = this.#times
    const grown = new Float64Array(old.length * 2)
    grown.set(old.subarray(this.#head))
    grown.set(old.subarray(0, this.#head), old.length - this.#head)
    this.#times = grown
    this.#head = 0
  }
}
