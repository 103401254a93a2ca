// A server of the comparison: a process of its own, started and stopped.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { pinned } from './processors.mjs'
import { memory, processorTime } from './usage.mjs'

const START_LIMIT_MS = 20_000
const running = new Set()

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export class Server {
  /** What it runs: see peers.mjs. */
  contestant
  port
  /** Of what is measured, as it says itself. */
  version
  /** Of all its processes. */
  pids
  #child

  /**
   * @param {import('./peers.mjs').Contestant} contestant
   * @param {object} task see servers/announce.mjs
   * @param {string | undefined} processor to keep it on, see processors.mjs
   */
  static async start(contestant, task = {}, processor) {
    const [file, ...args] = pinned(contestant.command, processor)
    // What a process may have open at most, not what it may by default: some of the servers don't ask for more.
    const child = spawn(
      'sh',
      [
        '-c',
        'ulimit -n "$(ulimit -Hn)"; exec "$@"',
        'sh',
        file,
        ...args,
        JSON.stringify({ ...task, ...contestant.task }),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...contestant.env } },
    )
    running.add(child)
    child.once('exit', () => running.delete(child))
    const server = new Server()
    server.contestant = contestant
    server.#child = child
    Object.assign(server, await announcement(child, contestant))
    return server
  }

  /** Microseconds of processor time so far. */
  get processorTime() {
    return processorTime(this.pids)
  }

  /** Bytes. */
  get memory() {
    return memory(this.pids)
  }

  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

async function announcement(child, { label }) {
  const lines = createInterface(child.stdout)
  const late = AbortSignal.timeout(START_LIMIT_MS)
  try {
    const [line] = await Promise.race([
      once(lines, 'line', { signal: late }),
      once(child, 'exit', { signal: late }).then(([code]) => {
        throw new Error(`it ended with code ${code}`)
      }),
    ])
    return JSON.parse(line)
  } catch (error) {
    child.kill('SIGKILL')
    throw new Error(`${label} did not start: ${error.message}`, { cause: error })
  }
}
