/** Milliseconds of a turn of the event loop that arrears may take; the last one served may go beyond. */
const SLICE_MS = 10

/** Somebody who has work left that can be done piece by piece. */
export interface Debtor {
  /** Does a piece of it. Whoever is not done yet is added again. */
  workOff(): void
}

/**
 * What connections have not delivered yet, since it was too much for one go: one read may bring forty thousand frames,
 * and what they cost would be waited for by everybody else. They take turns, a slice of each turn of the event loop, and
 * what is new from others comes between.
 */
export class Arrears {
  #queue: Debtor[] = []
  #scheduled = false

  /** To be called once for each piece. */
  add(debtor: Debtor): void {
    this.#queue.push(debtor)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(serve, this)
  }

  /** @internal */
  serve(): void {
    this.#scheduled = false
    const queue = this.#queue
    this.#queue = []
    const end = performance.now() + SLICE_MS
    let served = 0
    do queue[served++].workOff()
    while (served < queue.length && performance.now() < end)
    // Whoever has had a turn comes after those who have not.
    const rest = queue.slice(served)
    for (const debtor of this.#queue) rest.push(debtor)
    this.#queue = rest
    if (rest.length === 0 || this.#scheduled) return
    this.#scheduled = true
    setImmediate(serve, this)
  }
}

function serve(arrears: Arrears): void {
  arrears.serve()
}
