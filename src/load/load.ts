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
  /** Messages that came back with other content, or came unasked. */
  mismatches: number
  /** Messages that had no answer at the end; with a rate also those that were due and could not be sent. */
  unanswered: number
  /** Microseconds that the oldest of them had waited. */
  oldestUnansweredUs: number
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
  /** Ends the measurement early; what was measured so far is the result. */
  readonly stop?: AbortSignal
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
  readonly options: LoadOptions
  readonly codec: Codec
  readonly reader: SocketReader
  readonly traffic: Traffic
  readonly #watcher: LoadWatcher
  /** Every connection that has not ended, open or not. */
  readonly #all = new Set<LoadConnection>()
  /** The open ones, in the order in which they get what is due. */
  #open: LoadConnection[] = []
  readonly #errors = new Map<string, number>()
  #latencies = new Latencies()
  #messages = 0
  #bytes = 0
  #mismatches = 0
  #toConnect: number
  #connecting = 0
  /** Connections that failed before the run began. */
  #failed = 0
  #phase: 'connecting' | 'running' | 'ended' = 'connecting'
  /** Resolves when every connection has been tried once. */
  #tried: (() => void) | undefined
  /** With a rate: messages that were due so far. */
  #due = 0

  constructor(options: LoadOptions, watcher: LoadWatcher) {
    this.options = options
    this.#watcher = watcher
    this.#toConnect = options.connections
    this.codec = new Codec(compileCodec(), options.connections + MOST_CONNECTING)
    this.reader = createReader(this.codec.readArena)
    this.traffic = new Traffic(options.payload, options.text, options.pipelining)
  }

  async run(): Promise<LoadResult> {
    const { duration, rate, warmup, timeout } = this.options
    try {
      await this.#connectAll()
      await this.#watcher.onConnected?.()
      this.#phase = 'running'
      this.#toConnect += this.#failed
      this.#connectNext()
      if (rate > 0) this.#beginSchedule()
      else for (const connection of this.#open) this.#fill(connection)
      const watchdog = setInterval(() => this.#endSilent(), Math.min(1000, timeout * 500))
      try {
        if (warmup > 0) await delay(warmup * 1000, this.#watcher.stop)
        return await this.#measure(duration)
      } finally {
        clearInterval(watchdog)
      }
    } finally {
      this.#phase = 'ended'
      for (const connection of this.#all) connection.end()
    }
  }

  opened(connection: LoadConnection): void {
    this.#connecting--
    this.#open.push(connection)
    if (this.#phase === 'ended') return connection.end()
    this.#connectNext()
    if (this.#phase === 'running' && this.options.rate === 0) this.#fill(connection)
  }

  returned(connection: LoadConnection, count: number, bytes: number): void {
    if (this.#phase !== 'running') return
    this.#messages += count
    this.#bytes += bytes
    const now = performance.now()
    connection.heard = now
    if (count === 0) return
    const { times } = connection
    for (let i = 0; i < count; i++) this.#latencies.record((now - times.shift()) * 1000)
    if (this.options.rate === 0) {
      for (let i = 0; i < count; i++) times.push(now)
      connection.send(count)
    } else this.#sendDue(connection)
  }

  mismatched(): void {
    this.#mismatches++
  }

  ended(connection: LoadConnection, error: string | undefined): void {
    this.#all.delete(connection)
    const index = this.#open.indexOf(connection)
    if (index < 0) this.#connecting--
    else this.#open.splice(index, 1)
    if (this.#phase === 'ended') return
    if (error !== undefined) this.#errors.set(error, (this.#errors.get(error) ?? 0) + 1)
    if (this.#phase === 'connecting') {
      // Tried again once the run has begun: a server that refuses most of them would keep it from ever beginning.
      this.#failed++
      this.#connectNext()
    } else {
      setTimeout(() => {
        this.#toConnect++
        this.#connectNext()
      }, RECONNECT_MS).unref()
    }
  }

  async #connectAll(): Promise<void> {
    const time = setTimeout(() => this.#tried?.(), CONNECT_TIMEOUT_MS)
    await new Promise<void>(resolve => {
      this.#tried = resolve
      this.#connectNext()
    })
    this.#tried = undefined
    clearTimeout(time)
    if (this.#open.length > 0) return
    const [reason = 'it does not answer'] = this.#errors.keys()
    throw new Error(`cannot connect to ${this.options.url.href}: ${reason}`)
  }

  #connectNext(): void {
    if (this.#phase === 'ended') return
    while (this.#toConnect > 0 && this.#connecting < MOST_CONNECTING) {
      this.#toConnect--
      this.#connecting++
      const connection = new LoadConnection(this)
      this.#all.add(connection)
      connection.connect()
    }
    if (this.#connecting === 0) this.#tried?.()
  }

  /** Puts as many messages under way as there may be. */
  #fill(connection: LoadConnection): void {
    const { pipelining } = this.options
    const now = performance.now()
    connection.heard = now
    for (let i = 0; i < pipelining; i++) connection.times.push(now)
    connection.send(pipelining)
  }

  /**
   * Messages become due at a steady rate; each connection in its turn gets one, and sends it when it may. The
   * schedule is looked at in every turn of the event loop: a timer's millisecond would be part of each latency.
   */
  #beginSchedule(): void {
    const { rate } = this.options
    const start = performance.now()
    const look = (): void => {
      if (this.#phase !== 'running') return
      // The first is due at once.
      const until = Math.floor(((performance.now() - start) * rate) / 1000) + 1
      for (; this.#due < until; this.#due++) {
        const connection = this.#open[this.#due % this.#open.length]
        if (connection === undefined) continue
        connection.times.push(start + (this.#due * 1000) / rate)
        this.#sendDue(connection)
      }
      setImmediate(look)
    }
    look()
  }

  #sendDue(connection: LoadConnection): void {
    const count = Math.min(connection.times.length, this.options.pipelining) - connection.inFlight
    if (count <= 0) return
    if (connection.inFlight === 0) connection.heard = performance.now()
    connection.send(count)
  }

  /** Ends the connections that have had no answer for too long; others take their places. */
  #endSilent(): void {
    const { timeout } = this.options
    const since = performance.now() - timeout * 1000
    for (const connection of this.#all) {
      const waits = connection.inFlight > 0 || !connection.isOpen
      if (waits && connection.heard < since) connection.end(`no answer for ${timeout} s`)
    }
  }

  async #measure(duration: number): Promise<LoadResult> {
    this.#latencies = new Latencies()
    this.#messages = this.#bytes = this.#mismatches = 0
    const perSecond: number[] = []
    this.#watcher.onBegin?.()
    const start = performance.now()
    let before = 0
    let last = start
    // A timer may be late, so a second's messages are those of its real length.
    const endSecond = (): void => {
      const now = performance.now()
      const messages = Math.round(((this.#messages - before) * 1000) / (now - last))
      before = this.#messages
      last = now
      perSecond.push(messages)
      this.#watcher.onSecond?.(messages)
    }
    const seconds = setInterval(endSecond, 1000)
    await delay(duration * 1000, this.#watcher.stop)
    const end = performance.now()
    // The last second ends together with the run.
    if (end - last > 500) endSecond()
    this.#watcher.onEnd?.()
    clearInterval(seconds)
    const elapsed = (end - start) / 1000
    return {
      seconds: elapsed,
      messages: this.#messages,
      bytes: this.#bytes,
      latencies: this.#latencies,
      perSecond,
      mismatches: this.#mismatches,
      ...this.#unanswered(end),
      errors: this.#errors,
      connected: this.#open.length,
    }
  }

  #unanswered(now: number): { unanswered: number; oldestUnansweredUs: number } {
    let unanswered = 0
    let oldest = now
    for (const { times } of this.#open) {
      unanswered += times.length
      oldest = Math.min(oldest, times.first ?? now)
    }
    return { unanswered, oldestUnansweredUs: (now - oldest) * 1000 }
  }
}

function delay(ms: number, stop: AbortSignal | undefined): Promise<void> {
  return new Promise(resolve => {
    if (stop?.aborted === true) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      stop?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    stop?.addEventListener('abort', done)
  })
}
