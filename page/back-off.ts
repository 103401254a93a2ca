const FIRST_MS = 500
const MOST_MS = 30_000
/** Milliseconds after which a connection was more than an attempt. */
export const STEADY_MS = 10_000

/** How long to wait before the next attempt to connect. */
export class BackOff {
  #failures = 0
  #openedMs: number | undefined

  /** Somebody wants a connection now. */
  reset(): void {
    this.#failures = 0
    this.#openedMs = undefined
  }

  opened(nowMs: number): void {
    this.#openedMs = nowMs
  }

  /**
   * A connection, or an attempt, has ended. The wait is twice as long each time, up to half a minute, and of that
   * something between half and all, so that the clients of a server that went away do not come back together. It
   * begins anew after a connection that lasted, and not after one that was accepted only to be closed.
   *
   * @param chance 0 to 1
   * @returns milliseconds to wait
   */
  ended(nowMs: number, chance: number): number {
    if (this.#openedMs !== undefined && nowMs - this.#openedMs >= STEADY_MS) this.#failures = 0
    this.#openedMs = undefined
    const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(this.#failures++, 16))
    return Math.round(most * (0.5 + chance / 2))
  }
}
