import { byId, onClick, say } from './dom.js'
import { drawRoundTrips, formatMs } from './round-trip-plot.js'
import { RoundTrips } from './round-trips.js'

/** Between two measurements, in milliseconds. */
const PROBE_MS = 1000

/** Round-trip times of the playground's connection: measured by a text that comes back, if the user wants, and plotted. */
export class RoundTripCard {
  readonly #send: (text: string) => void
  readonly #trips = new RoundTrips()
  readonly #probing = byId('probing', HTMLInputElement)
  readonly #listed = byId('list-probes', HTMLInputElement)
  /** Whether to measure every second, as the user left it: at the server of this page, and elsewhere. */
  readonly #wishes = { own: true, foreign: false }
  #isOwn = true
  #isOpen = false
  #timer: ReturnType<typeof setInterval> | undefined

  /** @param send sends a text that measures */
  constructor(send: (text: string) => void) {
    this.#send = send
    this.#probing.addEventListener('change', () => {
      this.#wishes[this.#isOwn ? 'own' : 'foreign'] = this.#probing.checked
      this.#run()
    })
    onClick('measure', () => this.#probe())
  }

  /** Whether texts that measure are shown like others. */
  get isListed(): boolean {
    return this.#listed.checked
  }

  /** The address is another. @param isOwn whether it is that of the server that brought the page */
  meet(isOwn: boolean): void {
    this.#trips.clear()
    this.#isOwn = isOwn
    this.#probing.checked = this.#wishes[isOwn ? 'own' : 'foreign']
    this.draw()
  }

  /** The connection is open now, or is not any more. */
  turn(isOpen: boolean): void {
    this.#isOpen = isOpen
    if (!isOpen) this.#trips.forget()
    this.#run()
  }

  /** `PING` is sent. */
  pinged(): void {
    this.#trips.pinged(performance.now())
  }

  /** @returns whether it is the answer to a text that measures */
  receive(text: string): boolean {
    const answer = this.#trips.receive(text, performance.now())
    if (answer !== undefined) this.draw()
    return answer === 'probe'
  }

  draw(): void {
    const { summary, lost, sent } = this.#trips
    drawRoundTrips(byId('plot', SVGSVGElement), this.#trips)
    tell('trip-last', summary && formatMs(summary.last))
    tell('trip-median', summary && formatMs(summary.median))
    tell('trip-range', summary && `${formatMs(summary.least)} to ${formatMs(summary.most)}`)
    const count = `${sent.toLocaleString('en-US')} ${sent === 1 ? 'text' : 'texts'} “shardws round trip …” sent`
    const missed =
      lost === 0 ? '' : `, ${lost.toLocaleString('en-US')} without an answer: not every server echoes`
    say(byId('trip-sent', HTMLElement), sent === 0 ? undefined : count + missed)
  }

  #run(): void {
    clearInterval(this.#timer)
    if (!this.#probing.checked || !this.#isOpen) return
    this.#probe()
    this.#timer = setInterval(() => this.#probe(), PROBE_MS)
  }

  #probe(): void {
    if (!this.#isOpen) return
    const text = this.#trips.begin(performance.now())
    if (text !== undefined) this.#send(text)
    this.draw()
  }
}

function tell(id: string, text: string | undefined): void {
  byId(id, HTMLElement).textContent = text ?? '–'
}
