import { grouped } from './bytes.js'
import { byId, disable, onClick, say } from './dom.js'
import { drawRoundTrips, formatMs } from './round-trip-plot.js'
import { LOST_MS, RoundTrips } from './round-trips.js'

/** Between two measurements, in milliseconds. */
const PROBE_MS = 1000
/** Milliseconds that what is new on the page gets to be painted before something is measured. */
export const PAINT_MS = 50
/** Milliseconds without an answer before that is said. */
const PATIENCE_MS = 300

/** Round-trip times of the playground's connection: measured by a text that comes back, if the user wants, and plotted. */
export class RoundTripCard {
  readonly #canSend: () => boolean
  readonly #send: (text: string) => void
  readonly #trips = new RoundTrips()
  readonly #probing = byId('probing', HTMLInputElement)
  readonly #listed = byId('list-probes', HTMLInputElement)
  /** Whether to measure every second, as the user left it: at the server of this page, and elsewhere. */
  readonly #wishes = { own: true, foreign: false }
  #isOwn = true
  #isOpen = false
  #timer: ReturnType<typeof setInterval> | undefined
  /** Until a measurement that the user has asked for, or the first one. */
  #soon: ReturnType<typeof setTimeout> | undefined
  /** Until it is said that an answer is missing. */
  #patience: ReturnType<typeof setTimeout> | undefined

  /**
   * @param canSend whether the connection takes texts now
   * @param send sends one that measures
   */
  constructor(canSend: () => boolean, send: (text: string) => void) {
    this.#canSend = canSend
    this.#send = send
    this.#probing.addEventListener('change', () => {
      this.#wishes[this.#isOwn ? 'own' : 'foreign'] = this.#probing.checked
      this.#run()
    })
    onClick('measure', () => this.#probeSoon())
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
    this.draw()
  }

  /** `PING` is sent. */
  pinged(): void {
    this.#trips.pinged(performance.now())
    this.#watch()
  }

  /** @returns whether it is the answer to a text that measures */
  receive(text: string): boolean {
    const answer = this.#trips.receive(text, performance.now())
    if (answer !== undefined) this.draw()
    return answer === 'probe'
  }

  draw(): void {
    const isWaiting = this.#trips.isWaiting(performance.now())
    const { summary, lost, sent } = this.#trips
    disable('measure', !this.#isOpen || isWaiting)
    drawRoundTrips(byId('plot', SVGSVGElement), this.#trips)
    tell('trip-last', summary && formatMs(summary.last))
    tell('trip-median', summary && formatMs(summary.median))
    tell('trip-range', summary && `${formatMs(summary.least)} to ${formatMs(summary.most)}`)
    const count = `${grouped(sent)} ${sent === 1 ? 'text' : 'texts'} “shardws round trip …” sent`
    const missed = lost === 0 ? '' : `, ${grouped(lost)} without an answer: not every server echoes`
    const told = [...(sent === 0 ? [] : [count + missed]), ...(isWaiting ? ['waiting for an answer'] : [])]
    say(byId('trip-sent'), told.length === 0 ? undefined : told.join('; '))
  }

  #run(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#soon)
    if (!this.#probing.checked || !this.#isOpen) return
    this.#probeSoon()
    this.#timer = setInterval(() => this.#probe(), PROBE_MS)
  }

  #probeSoon(): void {
    clearTimeout(this.#soon)
    this.#soon = setTimeout(() => this.#probe(), PAINT_MS)
  }

  #probe(): void {
    if (!this.#canSend()) return
    const text = this.#trips.begin(performance.now())
    if (text === undefined) return this.draw()
    this.#send(text)
    this.#watch()
  }

  /** Nothing is drawn when a text is sent: the answer would have to wait until that is laid out and painted. */
  #watch(): void {
    clearTimeout(this.#patience)
    this.#patience = setTimeout(() => {
      this.draw()
      this.#patience = setTimeout(() => this.draw(), LOST_MS)
    }, PATIENCE_MS)
  }
}

function tell(id: string, text: string | undefined): void {
  byId(id).textContent = text ?? '–'
}
