// A process that loads a server: it gets a task, tells how it goes, and ends. See workers/.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pinned } from './processors.mjs'

const running = new Set()

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export class Worker {
  #child
  #messages = []
  #waiting
  #failure

  /**
   * @param {string} name of the file in workers/
   * @param {object} task
   * @param {string | undefined} processor to keep it on, see processors.mjs
   * @param {string} node that runs it
   */
  constructor(name, task, processor, node = process.execPath) {
    const path = fileURLToPath(new URL(`./workers/${name}.mjs`, import.meta.url))
    const [file, ...args] = pinned([node, path], processor)
    const child = spawn(file, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    this.#child = child
    running.add(child)
    child.on('message', message => {
      this.#messages.push(message)
      this.#waiting?.()
    })
    child.once('exit', code => {
      running.delete(child)
      this.#failure = new Error(`${name} ended with code ${code}`)
      this.#waiting?.()
    })
    this.tell(task)
  }

  tell(message) {
    this.#child.send(message)
  }

  /** What it tells next. */
  async next() {
    while (this.#messages.length === 0) {
      if (this.#failure !== undefined) throw this.#failure
      await new Promise(resolve => {
        this.#waiting = resolve
      })
    }
    const message = this.#messages.shift()
    if (message.error !== undefined) throw new Error(message.error)
    return message
  }

  end() {
    this.#child.kill('SIGKILL')
  }
}

/** Runs a worker that has one thing to tell: its result. */
export async function runWorker(name, task, processor, node) {
  const worker = new Worker(name, task, processor, node)
  try {
    return await worker.next()
  } finally {
    worker.end()
  }
}
