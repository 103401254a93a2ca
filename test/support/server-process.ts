import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { CloseOptions, ServeOptions, ServerStats, TlsOptions } from '../../src/index.js'
import type { HandoffWay } from '../../src/primary/handoff.js'
import { soon, until } from './until.js'

const fixtures = new URL('../fixtures/', import.meta.url)

/** What the handlers of test-app.mjs saw, summed over the shards that live. */
export interface AppCounts {
  opens: number
  closes: number
  /** `close` was called again for a connection. */
  twice: number
  errors: number
  /** How often `close` got each code. */
  codes: Record<string, number>
  /** The most that `bufferedAmount` was after an echo. */
  mostBuffered: number
  drains: number
  /** Close reasons since they were last asked for. */
  reasons: string[]
}

/** Bytes in use by the server's process, after garbage collection. */
export interface Memory {
  rss: number
  /** Of all threads together, as the rest. */
  heapUsed: number
  external: number
}

export interface ServerProcessOptions extends ServeOptions {
  /** A file of test/fixtures. Default: test-app.mjs. */
  app?: string
  /** Descriptors that the process may have open. Default: as many as this one. */
  maxDescriptors?: number
}

/** A server in a process of its own: test/fixtures/server.mjs. */
export class ServerProcess {
  readonly port: number
  readonly #process: ChildProcess
  readonly #output: () => string
  readonly #pending = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>()
  #nextId = 1

  /** @param handoff the way sockets take to shards; by default the one that Node has */
  static async start(options: ServerProcessOptions = {}, handoff?: HandoffWay): Promise<ServerProcess> {
    const { app = 'test-app.mjs', maxDescriptors, ...rest } = options
    const complete: ServeOptions = {
      host: '127.0.0.1',
      port: 0,
      workers: 2,
      logLevel: 'error',
      app: fileURLToPath(new URL(app, fixtures)),
      ...rest,
    }
    const child = launch(JSON.stringify(complete), maxDescriptors, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...(handoff !== undefined && { SHARDWS_HANDOFF: handoff }) },
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        output = (output + chunk).slice(-10_000)
      })
    }
    const port = await soon(
      'the server listens',
      new Promise<number>((resolve, reject) => {
        child.once('message', message => resolve((message as { port: number }).port))
        child.once('exit', code => reject(new Error(`the server's process ended with ${code}:\n${output}`)))
      }),
    )
    return new ServerProcess(child, port, () => output)
  }

  private constructor(child: ChildProcess, port: number, output: () => string) {
    this.#process = child
    this.port = port
    this.#output = output
    child.on('message', message => {
      const { id, result, error } = message as { id: number; result: never; error?: string }
      const pending = this.#pending.get(id)
      this.#pending.delete(id)
      if (error === undefined) pending?.resolve(result)
      else pending?.reject(new Error(error))
    })
    child.on('exit', (code, signal) => {
      const error = new Error(`the server's process ended (${code ?? signal}):\n${output()}`)
      for (const { reject } of this.#pending.values()) reject(error)
      this.#pending.clear()
    })
  }

  /** What the process wrote. */
  get output(): string {
    return this.#output()
  }

  get pid(): number {
    return this.#process.pid as number
  }

  /** Milliseconds that processors have worked for the process so far, all threads together. */
  cpuMs(): number {
    // The fields behind the name, which may have spaces: 14 and 15 are user and system time, in 1/100 s (proc(5)).
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) * 10
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  stats(): Promise<ServerStats> {
    return this.#call('stats')
  }

  /** @param tls by default the files are read again */
  reloadTls(tls?: TlsOptions): Promise<void> {
    return this.#call('reloadTls', tls)
  }

  reload(): Promise<void> {
    return this.#call('reload')
  }

  shardErrors(): Promise<{ code: string; index: number }[]> {
    return this.#call('shardErrors')
  }

  memory(): Promise<Memory> {
    return this.#call('memory')
  }

  /** The most bytes that the process was ever resident with. */
  peakMemory(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'latin1')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  /** Descriptors that the process has open, sockets alone. */
  sockets(): number {
    return this.#descriptors('socket:')
  }

  /** Threads that the process has, Node's own among them. */
  threads(): number {
    return readdirSync(`/proc/${this.#process.pid}/task`).length
  }

  /** Bytes of resident memory. */
  rss(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  #descriptors(kind: string): number {
    const directory = `/proc/${this.#process.pid}/fd`
    return readdirSync(directory).filter(name => {
      try {
        return readlinkSync(`${directory}/${name}`).startsWith(kind)
      } catch {
        // It was closed meanwhile.
        return false
      }
    }).length
  }

  async app(): Promise<AppCounts> {
    const answers = await this.#call<{ counts: AppCounts; reasons: string[] }[]>('app')
    const sum: AppCounts = {
      opens: 0,
      closes: 0,
      twice: 0,
      errors: 0,
      codes: {},
      mostBuffered: 0,
      drains: 0,
      reasons: [],
    }
    for (const { counts, reasons } of answers) {
      for (const name of ['opens', 'closes', 'twice', 'errors', 'drains'] as const) sum[name] += counts[name]
      sum.mostBuffered = Math.max(sum.mostBuffered, counts.mostBuffered)
      for (const [code, count] of Object.entries(counts.codes))
        sum.codes[code] = (sum.codes[code] ?? 0) + count
      sum.reasons.push(...reasons)
    }
    return sum
  }

  /**
   * Waits until no socket is left in the server, by what it counts.
   *
   * @param except open connections of somebody else, which stay
   */
  async empty(except = 0): Promise<void> {
    let last = ''
    const isEmpty = async (): Promise<boolean> => {
      const { total, admitted, shards } = await this.stats()
      const inFlight = shards.reduce((sum, shard) => sum + shard.inFlight, 0)
      const { sockets, connections } = total
      last = JSON.stringify({ sockets, connections, admitted, inFlight })
      return sockets === except && connections === except && admitted === except && inFlight === 0
    }
    await until(() => `the server holds ${except} sockets, but ${last}`, isEmpty)
  }

  /** For the end of a test: everything must have ended as it should, then the server is closed. */
  async finish(): Promise<void> {
    await this.empty()
    const [shardErrors, { opens, closes, twice }] = [await this.shardErrors(), await this.app()]
    if (shardErrors.length > 0) throw new Error(`shards failed: ${JSON.stringify(shardErrors)}`)
    if (opens !== closes || twice > 0) {
      throw new Error(`the application saw ${opens} opens and ${closes} closes, ${twice} of them again`)
    }
    await this.close()
  }

  /** Closes the server as an application does; the process ends by itself. */
  async close(options?: CloseOptions): Promise<void> {
    if (!this.isRunning) return
    const ended = new Promise<void>(resolve => this.#process.once('exit', () => resolve()))
    await this.#call('close', options)
    this.#process.disconnect()
    await soon("the server's process ends", ended)
  }

  /** Ends the process if it still runs. */
  kill(): void {
    this.#process.kill('SIGKILL')
  }

  #call<Result>(method: string, argument?: unknown): Promise<Result> {
    if (!this.isRunning) return Promise.reject(new Error(`the server's process has ended:\n${this.output}`))
    const id = this.#nextId++
    const result = new Promise<Result>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
    })
    this.#process.send({ id, method, argument })
    return soon(`the server's answer to ${method}`, result)
  }
}

/** Starts test/fixtures/server.mjs. */
function launch(options: string, maxDescriptors: number | undefined, spawning: SpawnOptions): ChildProcess {
  const file = fileURLToPath(new URL('server.mjs', fixtures))
  const execArgv = ['--expose-gc']
  if (maxDescriptors === undefined) return fork(file, [options], { ...spawning, execArgv })
  // Node raises the soft limit to the hard one: `ulimit` lowers both.
  const script = `ulimit -n ${maxDescriptors} && exec "$@"`
  return spawn('sh', ['-c', script, 'sh', process.execPath, ...execArgv, file, options], spawning)
}
