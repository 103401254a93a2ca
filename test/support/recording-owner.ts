import type { ProtocolOwner } from '../../src/protocol/protocol.js'

/** Writes down what a protocol tells its owner, as lines such as `text hello` and `send close 1000`. */
export class RecordingOwner implements ProtocolOwner {
  readonly lines: string[] = []
  /** The messages as they were given. */
  readonly messages: (string | Buffer)[] = []
  /** There is more than goes in one go. */
  hasMore = false
  /** Called after each line. */
  onLine: (line: string) => void = () => {}

  deliverMessage(data: string | Buffer, isBinary: boolean): void {
    this.messages.push(data)
    this.#add(`${isBinary ? 'binary' : 'text'} ${data.toString()}`)
  }

  deliverPing(source: Buffer, start: number, end: number): void {
    this.#add(`ping ${source.toString('utf8', start, end)}`)
  }

  deliverPong(source: Buffer, start: number, end: number): void {
    this.#add(`pong ${source.toString('utf8', start, end)}`)
  }

  throttled(): void {
    this.lines.push('throttled')
  }

  sendClose(code: number, reason: string): void {
    this.#add(`send close ${code} ${reason}`)
  }

  finish(): void {
    this.#add('finish')
  }

  postponed(): void {
    this.#add('postponed')
  }

  continueLater(): void {
    this.hasMore = true
  }

  #add(line: string): void {
    this.lines.push(line.trim())
    this.onLine(line)
  }
}
