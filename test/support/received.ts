import type { Message } from '../../src/codec/index.js'

/** What has come, one by one. */
export class Received {
  readonly #messages: Message[] = []
  #wake = () => {}
  readonly add = (message: Message): void => {
    this.#messages.push(message)
    this.#wake()
  }

  async next(): Promise<Message> {
    while (this.#messages.length === 0) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return this.#messages.shift() as Message
  }
}
