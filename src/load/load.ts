import { Codec } from '../codec/codec.js'
import { compileCodec } from '../codec/module.js'
import { createReader, type SocketReader } from '../connection/socket-transport.js'
import { Latencies } from './latencies.js'
import { LoadConnection, type LoadConnectionOwner } from './load-connection.js'
import type { LoadOptions } from './load-options.js'
import { Traffic } from './traffic.js'

/** Connections that are being opened at the same time: less than the usual backlog. */
const MOST_CONNECTING = 100
/** Milliseconds before a lost connection is opened again. */
const RECONNECT_MS = 100
/** Milliseconds that opening all connections may take. */
const CONNECT_TIMEOUT_MS = 30_000
/** What a load run has measured. */
export interface LoadResult {
  /** Seconds, as measured. */
  seconds: number
  /** Messages that came back. */
  messages: number
  /** Bytes that came in, frame headers included. */
  bytes: number
  latencies: Latencies
  /** Messages that came back in each whole second. */
  perSecond: number[]
  /** Messages that came back with other content. */
  mismatches: number
  /** Connections that failed or were lost, by reason. */
  errors: Map<string, number>
  /** Connections that were open at the end. */
  connected: number
}

/** What happens while a run goes on. */
export interface LoadWatcher {
  /** All connections are open; the run goes on when the promise is fulfilled. */
  onConnected?(): void | Promise<void>
  /** The measurement begins, or is over. */
  onBegin?(): void
  onEnd?(): void
  /** Once a second of the measurement: messages in that second. */
  onSecond?(messages: number): void
}

/**
 * Loads a WebSocket server that echoes, from this process.
 *
 * @throws Error when not a single connection can be opened, with the reason
 */
export async function runLoad(options: LoadOptions, watcher: LoadWatcher = {}): Promise<LoadResult> {
  return new LoadRun(options, watcher).run()
}

class LoadRun implements LoadConnectionOwner {
  readonly url: URL
  readonly codec: Codec
  readonly reader: SocketReader
  readonly traffic: Traffic
  readonly protocols: readonly string[]
  readonly #options: LoadOptions
  readonly #watcher: LoadWatcher
  readonly #open = new Set<LoadConnection>()
  /** When the messages under way were sent, or should have been: a queue for each connection. */
  readonly #sent = new Map<LoadConnection, TimeQueue>()
  readonly #errors = new Map<string, number>()
  #latencies = new Latencies()
  #messages = 0
  #bytes = 0
  #mismatches = 0
  #toConnect: number
  #connecting = 0
  #phase: 'connecting' | 'running' | 'ended' = 'connecting'
  #connected: (() => void) | undefined
  /** With a rate: messages that are due so far, and the connection whose turn it is. */
  #due = 0
  #order: LoadConnection[] = []
  #turn = 0

  constructor(options: LoadOptions, watcher: LoadWatcher) {
    this.url = options.url
    this.protocols = options.protocols
    this.#options = options
    this.#watcher = watcher
    this.#toConnect = options.connections
    this.codec = new Codec(compileCodec(), options.connections + MOST_CONNECTING)
    this.reader = createReader(this.codec.readArena)
    this.traffic = new Traffic(options.size, options.text, options.pipelining)
  }

  async run(): Promise<LoadResult> {
    const { duration, rate, warmup } = this.#options
    await this.#connectAll()
    await this.#watcher.onConnected?.()
    this.#phase = 'running'
    if (rate > 0) this.#beginSchedule()
    else for (const connection of this.#open) this.#fill(connection)
    if (warmup > 0) await delay(warmup * 1000)
    const result = await this.#measure(duration)
    this.#phase = 'ended'
    result.connected = this.#open.size
    for (const connection of this.#open) connection.end()
    return result
  }

  opened(connection: LoadConnection): void {
    this.#connecting--
    this.#open.add(connection)
    this.#sent.set(connection, new TimeQueue(this.#options.pipelining))
    this.#order.push(connection)
    if (this.#phase === 'connecting') this.#connectNext()
    else if (this.#phase === 'ended') connection.end()
    else if (this.#options.rate === 0) this.#fill(connection)
  }

  returned(connection: LoadConnection, count: number, bytes: number): void {
    if (this.#phase !== 'running') return
    this.#messages += count
    this.#bytes += bytes
    if (count === 0) return
    const times = this.#sent.get(connection) as TimeQueue
    const now = performance.now()
    for (let i = 0; i < count; i++) this.#latencies.record((now - times.shift()) * 1000)
    if (this.#options.rate === 0) {
      for (let i = 0; i < count; i++) times.push(now)
      connection.send(count)
    } else this.#sendWaiting(connection, times)
  }

  mismatched(): void {
    this.#mismatches++
  }

  ended(connection: LoadConnection, error: string | undefined): void {
    if (!this.#open.delete(connection)) this.#connecting--
    this.#sent.delete(connection)
    this.#order = this.#order.filter(other => other !== connection)
    if (error !== undefined) this.#errors.set(error, (this.#errors.get(error) ?? 0) + 1)
    if (this.#phase === 'ended') return
    this.#toConnect++
    if (this.#phase === 'running') setTimeout(() => this.#connectNext(), RECONNECT_MS).unref()
    else if (this.#open.size === 0 && this.#connecting === 0) this.#connected?.()
    else setTimeout(() => this.#connectNext(), RECONNECT_MS).unref()
  }

  async #connectAll(): Promise<void> {
    const time = setTimeout(() => this.#connected?.(), CONNECT_TIMEOUT_MS)
    await new Promise<void>(resolve => {
      this.#connected = resolve
      this.#connectNext()
    })
    this.#connected = undefined
    clearTimeout(time)
    if (this.#open.size > 0) return
    this.#phase = 'ended'
    const [reason = 'it does not answer'] = this.#errors.keys()
    throw new Error(`cannot connect to ${this.url.href}: ${reason}`)
  }

  #connectNext(): void {
    if (this.#phase === 'ended') return
    while (this.#toConnect > 0 && this.#connecting < MOST_CONNECTING) {
      this.#toConnect--
      this.#connecting++
      new LoadConnection(this).connect()
    }
    if (this.#connecting === 0 && this.#toConnect === 0) this.#connected?.()
  }

  /** Puts as many messages under way as there may be. */
  #fill(connection: LoadConnection): void {
    const times = this.#sent.get(connection) as TimeQueue
    const now = performance.now()
    for (let i = 0; i < this.#options.pipelining; i++) times.push(now)
    connection.send(this.#options.pipelining)
  }

  /**
   * Messages become due at a steady rate; each connection in its turn gets one, and sends it when it may. The
   * schedule is looked at in every turn of the event loop: a timer's millisecond would be part of each latency.
   */
  #beginSchedule(): void {
    const { rate } = this.#options
    const start = performance.now()
    const look = (): void => {
      if (this.#phase !== 'running') return
      const until = Math.floor(((performance.now() - start) * rate) / 1000)
      for (; this.#due < until; this.#due++) {
        const connection = this.#order[this.#turn++ % this.#order.length]
        if (connection === undefined) continue
        const times = this.#sent.get(connection) as TimeQueue
        times.push(start + (this.#due * 1000) / rate)
        this.#sendWaiting(connection, times)
      }
      setImmediate(look)
    }
    look()
  }

  #sendWaiting(connection: LoadConnection, times: TimeQueue): void {
    const count = Math.min(times.length, this.#options.pipelining) - connection.inFlight
    if (count > 0) connection.send(count)
  }

  async #measure(duration: number): Promise<LoadResult> {
    this.#latencies = new Latencies()
    this.#messages = this.#bytes = this.#mismatches = 0
    const perSecond: number[] = []
    let before = 0
    this.#watcher.onBegin?.()
    const start = performance.now()
    const seconds = setInterval(() => {
      const messages = this.#messages - before
      before = this.#messages
      perSecond.push(messages)
      this.#watcher.onSecond?.(messages)
    }, 1000)
    await delay(duration * 1000)
    const elapsed = (performance.now() - start) / 1000
    this.#watcher.onEnd?.()
    clearInterval(seconds)
    // The last second ends together with the run.
    if (perSecond.length < Math.floor(duration)) perSecond.push(this.#messages - before)
    return {
      seconds: elapsed,
      messages: this.#messages,
      bytes: this.#bytes,
      latencies: this.#latencies,
      perSecond,
      mismatches: this.#mismatches,
      errors: this.#errors,
      connected: this.#open.size,
    }
  }
}

/** A queue of times. It grows only in a run with a rate that the server does not keep up with. */
class TimeQueue {
  #times: Float64Array
  #head = 0
  length = 0

  constructor(capacity: number) {
    this.#times = new Float64Array(2 ** Math.ceil(Math.log2(capacity + 1)))
  }

  push(time: number): void {
    const { length: capacity } = this.#times
    if (this.length === capacity) {
      const grown = new Float64Array(capacity * 2)
      for (let i = 0; i < capacity; i++) grown[i] = this.#times[(this.#head + i) & (capacity - 1)] as number
      this.#times = grown
      this.#head = 0
    }
    this.#times[(this.#head + this.length++) & (this.#times.length - 1)] = time
  }

  shift(): number {
    const time = this.#times[this.#head] as number
    this.#head = (this.#head + 1) & (this.#times.length - 1)
    this.length--
    return time
  }
}

function delay(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}
