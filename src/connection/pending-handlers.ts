/** Whose handlers they are. */
export interface HandlersOwner {
  /** One has failed. */
  handlerFailed(error: unknown): void
  /** One is over, however it ended. */
  handlersSettled(): void
}

/** Handlers of a connection that returned promises which are not settled. A rejection is a failure like a throw. */
export class PendingHandlers {
  #count = 0
  // Made once: asynchronous handlers run as often as others.
  readonly #onSettled: () => void
  readonly #onRejected: (error: unknown) => void

  constructor(owner: HandlersOwner) {
    this.#onSettled = () => {
      this.#count--
      owner.handlersSettled()
    }
    this.#onRejected = error => {
      owner.handlerFailed(error)
      this.#onSettled()
    }
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  follow(result: PromiseLike<unknown>): void {
    this.#count++
    // Of what is no real promise nothing is certain but this: it is called later, and answers once.
    Promise.resolve(result).then(this.#onSettled, this.#onRejected)
  }
}
