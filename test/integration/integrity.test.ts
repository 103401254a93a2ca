// Nobody ever gets a byte that was meant for another, while connections come and go and descriptors are used again.
import { describe, expect, test } from 'vitest'
import { closeFrame, text } from '../support/frames.js'
import { handoffWays } from '../support/handoff-ways.js'
import { Random } from '../support/random.js'
import { ServerProcess } from '../support/server-process.js'
import { openingRequest, WireClient } from '../support/wire-client.js'

const RESIDENTS = 40
const VISITORS = 1500
const VISITORS_AT_A_TIME = 60
const SIZES = [0, 1, 20, 125, 126, 1000, 20_000, 70_000, 200_000]

/** A message that shows whose it is in every byte. */
function message(id: string, n: number, size: number): string {
  return `${id}|${n}|`.padEnd(size, `${id} `)
}

/** Stays for the whole test; echoes and letters to other residents are numbered, so that none can be missing. */
class Resident {
  readonly name: string
  readonly client: WireClient
  echoes = 0
  letters = 0
  readonly #random: Random
  readonly #written = new Map<string, number>()
  readonly #read = new Map<string, number>()
  readonly #sizes: number[] = []

  constructor(name: string, client: WireClient, random: Random) {
    this.name = name
    this.client = client
    this.#random = random
  }

  sendEcho(): void {
    const size = this.#random.pick(SIZES.slice(0, -2))
    this.client.sendText(message(this.name, this.#sizes.length, size))
    this.#sizes.push(size)
  }

  writeTo(name: string): void {
    const n = this.#written.get(name) ?? 0
    this.client.sendText(`@${name} ${this.name} ${n}`)
    this.#written.set(name, n + 1)
  }

  /** Reads until `echoes` and `letters` are as many; throws at the first byte that is not its own. */
  async read(echoes: number, letters: number): Promise<void> {
    while (this.echoes < echoes || this.letters < letters) {
      const answer = await this.client.text()
      if (answer.startsWith('@')) this.#readLetter(answer)
      else {
        const n = this.echoes++
        if (answer !== message(this.name, n, this.#sizes[n])) {
          throw new Error(`${this.name} got ${answer.slice(0, 60)} instead of its message ${n}`)
        }
      }
    }
  }

  #readLetter(answer: string): void {
    const [to, from, n] = answer.split(' ')
    const expected = this.#read.get(from) ?? 0
    // Visitors may end before all they wrote is sent, but write in order.
    const isNext = from.startsWith('visitor') ? Number(n) >= expected : Number(n) === expected
    if (to !== `@${this.name}` || !isNext)
      throw new Error(`${this.name} got ${answer}, expected ${expected} of ${from}`)
    this.#read.set(from, Number(n) + 1)
    if (!from.startsWith('visitor')) this.letters++
  }
}

/** Comes, sends, reads some of the answers and ends in one of many ways. */
async function visit(port: number, id: string, random: Random): Promise<string> {
  const client = await WireClient.connect(port)
  const count = random.integer(0, 6)
  const sizes = Array.from({ length: count }, () => random.pick(SIZES))
  const messages = sizes.map((size, n) => text(message(id, n, size)))
  const letters = [0, 1, 2].map(n => text(`@resident-${random.integer(0, RESIDENTS)} ${id} ${n}`))
  client.send(Buffer.concat([Buffer.from(openingRequest(`/?name=${id}`)), ...letters, ...messages]))
  const how = random.pick(['close', 'half-close', 'reset', 'cut', 'late', 'terminate', 'violation', 'early'])
  if (how === 'early') {
    client.reset()
    return how
  }
  await client.handshake()
  const all = how === 'half-close'
  if (all) client.end()
  const reads = all ? count : random.integer(0, count + 1)
  for (let n = 0; n < reads; n++) {
    const answer = await client.text()
    if (answer !== message(id, n, sizes[n]))
      throw new Error(`${id} got ${answer.slice(0, 60)} instead of message ${n}`)
  }
  // What is not read is looked at as well, as far as it comes.
  const rest = (bytes: Buffer) => client.send(bytes)
  switch (how) {
    case 'close':
      rest(closeFrame(1000))
      break
    case 'violation':
      rest(text('x', { rsv: 4 }))
      break
    case 'terminate':
      rest(text('!terminate'))
      break
    case 'cut':
      rest(text(message(id, 0, 10_000)).subarray(0, 5000))
      client.reset()
      return how
    case 'late':
      // The answer comes when the connection has ended and its descriptor may be somebody else's.
      rest(text(`!later ${message(id, 0, 100)}`))
      client.reset()
      return how
    case 'reset':
      client.reset()
      return how
  }
  const ending = await client.ended()
  if (ending === 'fin') {
    const { frames } = await client.rest()
    const foreign = frames.filter(
      ({ opcode, payload }) => opcode === 1 && !payload.toString().startsWith(`${id}|`),
    )
    if (foreign.length > 0)
      throw new Error(`${id} got ${foreign[0].payload.toString().slice(0, 60)} at its end`)
  }
  client.end()
  return how
}

describe.each(handoffWays)('by $way', ({ way, options }) => {
  const random = new Random()

  test(
    `${VISITORS} visitors come and go among ${RESIDENTS} residents (seed ${random.seed})`,
    options,
    async () => {
      const server = await ServerProcess.start({ workers: 3 }, way)
      try {
        const idle = server.sockets()
        const residents = await Promise.all(
          Array.from({ length: RESIDENTS }, async (_, i) => {
            const name = `resident-${i}`
            return new Resident(name, await WireClient.open(server.port, `/?name=${name}`), random)
          }),
        )
        const { shards } = await server.stats()
        expect(shards.every(({ connections }) => connections >= RESIDENTS / 3 - 1)).toBe(true)

        const over = new AbortController()
        let rounds = 0
        const exchange = async () => {
          // Each round, each resident writes to itself and to one other: everybody gets one letter.
          while (!over.signal.aborted) {
            rounds++
            const shift = random.integer(1, RESIDENTS)
            residents.forEach((resident, i) => {
              resident.sendEcho()
              resident.writeTo(`resident-${(i + shift) % RESIDENTS}`)
            })
            await Promise.all(residents.map(resident => resident.read(rounds, rounds)))
          }
        }
        const ways = new Map<string, number>()
        let next = 0
        const come = async () => {
          while (next < VISITORS) {
            const how = await visit(server.port, `visitor-${next++}`, random)
            ways.set(how, (ways.get(how) ?? 0) + 1)
          }
        }
        const coming = Promise.all(Array.from({ length: VISITORS_AT_A_TIME }, come)).finally(() =>
          over.abort(),
        )
        await Promise.all([coming, exchange()])

        expect(ways.size).toBe(8)
        expect(rounds).toBeGreaterThan(10)
        for (const { client } of residents) client.end()
        for (const { client } of residents) {
          const { frames, ending } = await client.rest()
          expect(ending).toBe('fin')
          expect(frames.every(({ payload }) => payload.toString().includes(' visitor-'))).toBe(true)
        }
        await server.empty()
        expect(server.sockets()).toBe(idle)
        await server.finish()
      } finally {
        server.kill()
      }
    },
  )
})
