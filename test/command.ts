// The command as a user starts it: dist/cli.js in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const LIMIT_MS = 20_000

export interface Outcome {
  stdout: string
  stderr: string
  code: number | null
  signal: NodeJS.Signals | null
}

export interface CommandOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Another one than this repository's. */
  cli?: string
}

/** A running `shardws`. */
export class Command {
  /** Resolves when it has ended and all its output is here. */
  readonly ended: Promise<Outcome>
  readonly #process: ChildProcess
  readonly #output: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' }

  constructor(args: readonly string[], { cwd, env, cli = CLI }: CommandOptions = {}) {
    const child = spawn(process.execPath, [cli, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(cwd !== undefined && { cwd }),
    })
    this.#process = child
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this.#output[name] += text
      })
    }
    this.ended = once(child, 'close').then(([code, signal]) => ({
      ...this.#output,
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }))
  }

  /** Starts a server on a free port and waits until it listens. */
  static async listening(args: readonly string[], options?: CommandOptions): Promise<Command> {
    const command = new Command(['--port', '0', '--host', '127.0.0.1', ...args], options)
    await command.output('stdout', /listening on .*\n/)
    return command
  }

  /** Where it listens: `ws://127.0.0.1:40000`. */
  get url(): string {
    return /wss?:\/\/\S+:\d+/.exec(this.#output.stdout)?.[0] ?? ''
  }

  get stdout(): string {
    return this.#output.stdout
  }

  get stderr(): string {
    return this.#output.stderr
  }

  /** Waits until the output contains `pattern`. */
  async output(name: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    const signal = AbortSignal.timeout(LIMIT_MS)
    for (;;) {
      const found = pattern.exec(this.#output[name])
      if (found !== null) return found
      const stream = this.#process[name]
      if (stream === null || this.#process.exitCode !== null) {
        throw new Error(`no ${String(pattern)} in\n${this.stdout}\n${this.stderr}`)
      }
      await Promise.race([once(stream, 'data', { signal }), this.ended])
    }
  }

  /** Nobody reads the stream any more. */
  closePipe(name: 'stdout' | 'stderr'): void {
    this.#process[name]?.destroy()
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Stops it as a user would. */
  async stop(): Promise<Outcome> {
    this.kill('SIGTERM')
    return this.ended
  }
}
