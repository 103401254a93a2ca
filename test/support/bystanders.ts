import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { getPriority, setPriority } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import type { ServerProcess } from './server-process.js'
import { soon } from './until.js'

const FIXTURE = fileURLToPath(new URL('../fixtures/bystanders.mjs', import.meta.url))

/** Milliseconds that nobody's echo may take, whatever others do to the server. */
const LONGEST_ECHO_MS = 250
/** Of the attackers, so that they leave the processors to the server and to those who measure. */
const ATTACKERS_NICENESS = 10
/** A scenario that is over sooner has shown little. */
const SHORTEST_MS = 300

interface Report {
  clients: { shard: number; echoes: number; longestMs: number; longestInAllMs: number }[]
  /** Bytes: the most that the server's process had. */
  rssPeak: number
  /** Milliseconds that the process that measures was stopped. */
  lostMs: number
}

/** What a scenario showed, for those who want to know more than that it holds. */
export interface Witness extends Report {
  /** Bytes by which the server's process has grown. */
  growth: number
}

/**
 * Well-behaved clients of a server under attack, one on every shard, in a process of their own
 * (test/fixtures/bystanders.mjs). Start them, and all servers, before the first attack: that lowers the priority of
 * this process, which processes started later would inherit.
 */
export class Bystanders {
  /** So many there are: the sockets that the server holds when the attackers have gone. */
  readonly count: number
  readonly #server: ServerProcess
  readonly #process: ChildProcess
  readonly #url: string
  readonly #ca: string | undefined
  #failure: string | undefined
  #answer: ((message: { method?: string; result?: unknown }) => void) | undefined

  /** @param ca what the server's certificate is to be checked with; undefined for a server without TLS */
  static async of(server: ServerProcess, ca?: string): Promise<Bystanders> {
    if (getPriority() >= ATTACKERS_NICENESS) throw new Error('start all bystanders before the first attack')
    const { shards } = await server.stats()
    const url = `${ca === undefined ? 'ws' : 'wss'}://127.0.0.1:${server.port}/`
    const facts = {
      url,
      ca,
      pid: server.pid,
      shards: shards.length,
    }
    const child = fork(FIXTURE, [JSON.stringify(facts)], { execArgv: [] })
    const ready = await soon(
      'a bystander on every shard',
      new Promise<number[]>((resolve, reject) => {
        child.once('message', message => resolve((message as { ready: number[] }).ready))
        child.once('exit', code => reject(new Error(`the bystanders' process ended with ${code}`)))
      }),
    )
    assert.deepEqual(
      ready,
      shards.map(({ index }) => index),
    )
    return new Bystanders(server, child, ready.length, url, ca)
  }

  private constructor(
    server: ServerProcess,
    child: ChildProcess,
    count: number,
    url: string,
    ca: string | undefined,
  ) {
    this.#url = url
    this.#ca = ca
    this.#server = server
    this.#process = child
    this.count = count
    child.on('message', message => {
      const { failed } = message as { failed?: string }
      if (failed !== undefined) this.#failure ??= failed
      else this.#answer?.(message as { method: string })
    })
  }

  /**
   * Runs an attack, from this process, up to the end of its last connection. Asserts that meanwhile no echo took
   * `LONGEST_ECHO_MS`, on any shard, and that the server's process did not grow by more than `mostGrowth` bytes; and
   * that afterwards the server takes connections as before, and no shard has failed.
   */
  async during(mostGrowth: number, attack: () => Promise<void>): Promise<Witness> {
    if (getPriority() < ATTACKERS_NICENESS) setPriority(ATTACKERS_NICENESS)
    // What was there before is not this attack's.
    await this.#server.memory()
    const { rss } = await this.#ask<{ rss: number }>('begin')
    const start = performance.now()
    await attack()
    await this.#server.empty(this.count)
    const tookMs = performance.now() - start
    if (tookMs < SHORTEST_MS) await pause(SHORTEST_MS - tookMs)
    const seconds = (performance.now() - start) / 1000
    const report = await this.#ask<Report>('end')
    const growth = report.rssPeak - rss
    const facts = JSON.stringify({ ...report, growth, seconds })
    assert.equal(this.#failure, undefined, facts)
    for (const { echoes, longestMs } of report.clients) {
      assert.ok(longestMs < LONGEST_ECHO_MS, `an echo took ${longestMs} ms: ${facts}`)
      assert.ok(echoes > 0, facts)
    }
    assert.ok(growth < mostGrowth, `the server grew by ${growth} bytes: ${facts}`)
    assert.deepEqual(await this.#server.shardErrors(), [])
    await this.#visit()
    return { ...report, growth }
  }

  /** A new client is served as ever. */
  async #visit(): Promise<void> {
    const options: ConnectionOptions = { ca: this.#ca, servername: '' }
    const guest = new WebSocket(this.#url, options)
    await soon('a new client comes in', once(guest, 'open'))
    guest.send('hello')
    const [answer] = (await soon('its answer', once(guest, 'message'))) as [Buffer]
    assert.equal(answer.toString(), 'hello')
    guest.terminate()
    await this.#server.empty(this.count)
  }

  /** They leave; the server is as it was before. */
  async close(): Promise<void> {
    const ended = new Promise<void>(resolve => this.#process.once('exit', () => resolve()))
    this.#process.send({ method: 'close' })
    await soon("the bystanders' process ends", ended)
    assert.equal(this.#failure, undefined)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  #ask<Result>(method: string): Promise<Result> {
    const answer = new Promise<Result>(resolve => {
      this.#answer = message => {
        if (message.method === method) resolve(message.result as Result)
      }
    })
    this.#process.send({ method })
    return soon(`the bystanders' answer to ${method}${this.#failure ?? ''}`, answer)
  }
}
