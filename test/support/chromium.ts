import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'
import { soon, until } from './until.js'

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
]

/** A browser takes its time to start on a machine that does something else as well. */
const START_LIMIT_MS = 50_000

interface Reply {
  id?: number
  sessionId?: string
  result?: Record<string, unknown>
  error?: { message: string }
}

/** A page in a headless Chromium, driven by the DevTools protocol. */
export class Chromium {
  readonly #process: ChildProcess
  readonly #profile: string
  readonly #devTools: WebSocket
  readonly #pending = new Map<number, (reply: Reply) => void>()
  #nextId = 1
  #sessionId: string | undefined

  /** @param path of the browser */
  static async start(path: string): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'shardws-chromium-'))
    const browser = spawn(path, [...FLAGS, `--user-data-dir=${profile}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Its helpers are in its process group, so that they end with it.
      detached: true,
    })
    const said: string[] = []
    const address = new Promise<string>((resolve, reject) => {
      createInterface(browser.stderr).on('line', line => {
        said.push(line)
        const url = /^DevTools listening on (ws:\S+)/.exec(line)?.[1]
        if (url !== undefined) resolve(url)
      })
      browser.once('error', reject)
      browser.once('exit', () => reject(new Error(`Chromium ended:\n${said.join('\n')}`)))
    })
    const devTools = new WebSocket(await soon('Chromium starts', address, START_LIMIT_MS))
    await soon(
      'DevTools opens',
      new Promise((resolve, reject) => {
        devTools.once('open', resolve)
        devTools.once('error', reject)
      }),
    )
    return new Chromium(browser, profile, devTools)
  }

  private constructor(browser: ChildProcess, profile: string, devTools: WebSocket) {
    this.#process = browser
    this.#profile = profile
    this.#devTools = devTools
    devTools.on('message', (data: Buffer) => {
      const reply = JSON.parse(data.toString()) as Reply
      if (reply.id === undefined) return
      this.#pending.get(reply.id)?.(reply)
      this.#pending.delete(reply.id)
    })
  }

  /** Opens a page; `evaluate` runs in it from then on. */
  async open(url: string): Promise<void> {
    this.#sessionId = undefined
    const { targetId } = await this.#call('Target.createTarget', { url })
    const { sessionId } = await this.#call('Target.attachToTarget', { targetId, flatten: true })
    this.#sessionId = sessionId as string
    await until(`the page at ${url}`, async () => {
      return (await this.evaluate("document.readyState + ' ' + location.href")) === `complete ${url}`
    })
  }

  /** Runs an expression in the page and resolves with the JSON of what it, or its promise, is. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#call('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails !== undefined) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`)
    return (result as { value?: unknown }).value
  }

  async close(): Promise<void> {
    this.#devTools.terminate()
    const ended = new Promise(resolve => this.#process.once('exit', resolve))
    if (this.#process.exitCode === null && this.#process.pid !== undefined) {
      process.kill(-this.#process.pid, 'SIGKILL')
      await soon('Chromium ends', ended)
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 })
  }

  async #call(method: string, params: object): Promise<Record<string, unknown>> {
    const id = this.#nextId++
    const reply = new Promise<Reply>(resolve => this.#pending.set(id, resolve))
    this.#devTools.send(JSON.stringify({ id, method, params, sessionId: this.#sessionId }))
    const { result, error } = await soon(method, reply, START_LIMIT_MS)
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }
}
