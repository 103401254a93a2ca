import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Latencies, type LatenciesJson } from './latencies.js'
import { type LoadResult, type LoadWatcher, runLoad } from './load.js'
import type { LoadOptions } from './load-options.js'

/** Parent to child: the run's options; when all are connected, the word to go; and maybe one to stop early. */
export type ToLoadProcess =
  | { type: 'options'; options: SerializedOptions }
  | { type: 'go' }
  | { type: 'stop' }

/** Child to parent. */
export type FromLoadProcess =
  | { type: 'connected' }
  | { type: 'begin' }
  | { type: 'second'; messages: number }
  | { type: 'end' }
  | { type: 'result'; result: SerializedResult }
  | { type: 'failed'; message: string }

type SerializedOptions = Omit<LoadOptions, 'url'> & { url: string }

type SerializedResult = Omit<LoadResult, 'latencies' | 'errors'> & {
  latencies: LatenciesJson
  errors: [string, number][]
}

/**
 * Loads a server from as many processes as the options say, and adds up what they measured.
 *
 * @throws Error when a process can't connect
 */
export async function runLoadProcesses(options: LoadOptions, watcher: LoadWatcher = {}): Promise<LoadResult> {
  const { processes } = options
  if (processes === 1) return runLoad(options, watcher)
  const children = Array.from({ length: processes }, () =>
    fork(fileURLToPath(new URL('./load-process.js', import.meta.url)), {
      execArgv: [],
      // Which takes the message's bytes as they are.
      serialization: 'advanced',
    }),
  )
  try {
    const meters = children.map((child, index) => new Child(child, share(options, index)))
    watcher.stop?.addEventListener('abort', () => {
      for (const meter of meters) meter.tell({ type: 'stop' })
    })
    await Promise.all(meters.map(meter => meter.until('connected')))
    await watcher.onConnected?.()
    for (const meter of meters) meter.tell({ type: 'go' })
    await Promise.all(meters.map(meter => meter.until('begin')))
    watcher.onBegin?.()
    const total = { messages: 0, reports: 0 }
    for (const meter of meters) {
      meter.onSecond = messages => {
        total.messages += messages
        if (++total.reports % processes !== 0) return
        watcher.onSecond?.(total.messages)
        total.messages = 0
      }
    }
    await Promise.all(meters.map(meter => meter.until('end')))
    watcher.onEnd?.()
    const results = await Promise.all(meters.map(meter => meter.result()))
    return addUp(results)
  } finally {
    for (const child of children) child.kill()
  }
}

/** One process' share of the connections and of the rate. */
function share(options: LoadOptions, index: number): SerializedOptions {
  const { connections, processes, rate, url } = options
  const base = Math.floor(connections / processes)
  const mine = base + (index < connections % processes ? 1 : 0)
  return { ...options, url: url.href, connections: mine, rate: (rate * mine) / connections, processes: 1 }
}

/** A load process, as the parent sees it. */
class Child {
  onSecond: ((messages: number) => void) | undefined
  readonly #child: ChildProcess
  readonly #waiting = new Map<string, (message: FromLoadProcess) => void>()
  readonly #seen = new Map<string, FromLoadProcess>()
  readonly #failure: Promise<never>

  constructor(child: ChildProcess, options: SerializedOptions) {
    this.#child = child
    this.#failure = new Promise((_resolve, reject) => {
      child.on('exit', code => reject(new Error(`a load process ended with code ${code}`)))
      child.on('message', (message: FromLoadProcess) => {
        if (message.type === 'failed') reject(new Error(message.message))
        else if (message.type === 'second') this.onSecond?.(message.messages)
        else {
          this.#seen.set(message.type, message)
          this.#waiting.get(message.type)?.(message)
        }
      })
    })
    // Whoever waits is told; when nobody does, the run is over.
    this.#failure.catch(() => undefined)
    this.tell({ type: 'options', options })
  }

  tell(message: ToLoadProcess): void {
    if (this.#child.connected) this.#child.send(message)
  }

  async until(type: FromLoadProcess['type']): Promise<FromLoadProcess> {
    const seen = this.#seen.get(type)
    if (seen !== undefined) return seen
    return Promise.race([
      this.#failure,
      new Promise<FromLoadProcess>(resolve => {
        this.#waiting.set(type, resolve)
      }),
    ])
  }

  async result(): Promise<LoadResult> {
    const message = (await this.until('result')) as { result: SerializedResult }
    const latencies = new Latencies()
    latencies.add(message.result.latencies)
    return { ...message.result, latencies, errors: new Map(message.result.errors) }
  }
}

function addUp(results: readonly LoadResult[]): LoadResult {
  const sum: LoadResult = {
    seconds: 0,
    messages: 0,
    bytes: 0,
    latencies: new Latencies(),
    perSecond: [],
    mismatches: 0,
    unanswered: 0,
    oldestUnansweredUs: 0,
    errors: new Map(),
    connected: 0,
  }
  for (const result of results) {
    sum.seconds = Math.max(sum.seconds, result.seconds)
    sum.messages += result.messages
    sum.bytes += result.bytes
    sum.latencies.add(result.latencies.toJSON())
    sum.mismatches += result.mismatches
    sum.unanswered += result.unanswered
    sum.oldestUnansweredUs = Math.max(sum.oldestUnansweredUs, result.oldestUnansweredUs)
    sum.connected += result.connected
    for (const [second, messages] of result.perSecond.entries()) {
      sum.perSecond[second] = (sum.perSecond[second] ?? 0) + messages
    }
    for (const [reason, count] of result.errors) sum.errors.set(reason, (sum.errors.get(reason) ?? 0) + count)
  }
  return sum
}
