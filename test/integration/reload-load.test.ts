// Many reloads under load: nobody is lost, and what they leave is nothing.
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { ServerProcess } from '../support/server-process.js'
import { soon, until } from '../support/until.js'

const CLIENTS = 200
const RELOADS = 30
/** Bytes by which the process may have grown from the tenth reload to the last: the allocator's, not ours. */
const MOST_GROWTH = 40 * 2 ** 20

let server: ServerProcess | undefined
afterEach(() => server?.kill())

/** Keeps a connection, whatever it is closed for, and checks that every message comes back. */
class Visitor {
  readonly #port: number
  readonly #number: number
  readonly faults: string[] = []
  visits = 0
  echoes = 0
  #isOver = false
  readonly ended: Promise<void>

  constructor(port: number, number: number) {
    this.#port = port
    this.#number = number
    this.ended = this.#run()
  }

  end(): Promise<void> {
    this.#isOver = true
    return this.ended
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#visit()
      } catch (error) {
        this.faults.push(String(error))
        return
      }
    }
  }

  async #visit(): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}`)
    await soon('the connection opens', once(socket, 'open'))
    this.visits++
    const closed = once(socket, 'close') as Promise<[number, Buffer]>
    while (!this.#isOver && socket.readyState === WebSocket.OPEN) {
      const text = `${this.#number} ${this.echoes}`
      socket.send(text)
      const answer = await Promise.race([once(socket, 'message'), closed])
      if (typeof answer[0] === 'number') break
      if (String(answer[0]) !== text) throw new Error(`${String(answer[0])} instead of ${text}`)
      this.echoes++
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    socket.close()
    const [code] = await soon('the end', closed)
    if (!(code === 1012 || (this.#isOver && code === 1005))) throw new Error(`closed with ${code}`)
  }
}

test(`${RELOADS} reloads with ${CLIENTS} clients`, { timeout: 180_000 }, async () => {
  const running = await ServerProcess.start({ reloadDrainMs: 150, closeSpreadMs: 100 })
  server = running
  const sockets = running.sockets()
  const visitors = Array.from({ length: CLIENTS }, (_, number) => new Visitor(running.port, number))
  await until('all are there', async () => (await running.stats()).total.connections === CLIENTS)
  const threads = running.threads()
  let rss = 0
  let last = 0
  for (let reload = 1; reload <= RELOADS; reload++) {
    await running.reload()
    const { total } = await running.stats()
    expect(total.messagesIn).toBeGreaterThanOrEqual(last)
    last = total.messagesIn
    if (reload === 10) rss = running.rss()
  }
  const grown = running.rss() - rss
  await until('the old shards have ended', async () => (await running.stats()).draining.shards === 0)
  await until('their threads have ended', () => running.threads() <= threads)
  await Promise.all(visitors.map(visitor => visitor.end()))
  expect(visitors.flatMap(({ faults }) => faults)).toEqual([])
  const stats = await running.stats()
  const sum = (of: (visitor: Visitor) => number): number =>
    visitors.reduce((total, each) => total + of(each), 0)
  expect(stats.total.connectionsTotal).toBe(sum(({ visits }) => visits))
  expect(Object.values(stats.refused).every(count => count === 0)).toBe(true)
  expect(sum(({ visits }) => visits)).toBeGreaterThan(CLIENTS * 5)
  await running.empty()
  expect(running.sockets()).toBe(sockets)
  expect(await running.shardErrors()).toEqual([])
  expect(grown).toBeLessThan(MOST_GROWTH)
  await running.close()
})
