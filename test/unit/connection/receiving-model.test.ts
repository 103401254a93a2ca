// All that may hold a message up, together: the limit of rate, the application's pauses, inflation that is put off,
// arrears, a slow kernel, an end at any time; and of it nothing may be heard but what was said, in order, once.
import { describe, expect, it } from 'vitest'
import type { Connection } from '../../../src/connection/connection.js'
import type { Timed } from '../../../src/connection/deadlines.js'
import type { DeflateAgreement } from '../../../src/handshake/deflate.js'
import { Counter } from '../../../src/ledger.js'
import type { ConnectionOptions } from '../../../src/options.js'
import { AGREEMENT, deflateOptions, parseCompressedFrames } from '../../support/compressed-frames.js'
import { BINARY, PING, PONG, TEXT } from '../../support/frames.js'
import { MemoryShard, type TestApp, turnEnd } from '../../support/memory-shard.js'
import type { MemoryTransport } from '../../support/memory-transport.js'
import { Random } from '../../support/random.js'
import { type Deflate, ScriptedPeer } from '../../support/scripted-peer.js'

const SCENARIOS = 120
const PER_TEST = 40
const STEPS = 150
/** Rounds in which nobody does anything any more but wait, and in which all must have ended. */
const MOST_ROUNDS = 3000
/** Code of `close()` where the application decides to. */
const APP_CLOSE = 4000

/** One connection, and what the model knows of it. */
interface Pair {
  connection: Connection
  transport: MemoryTransport
  peer: ScriptedPeer
  bornMs: number
  /** How much of the script was heard. */
  heard: number
  /** The application has paused it. */
  isPaused: boolean
  /** The application has closed it. */
  isClosing: boolean
  /** It was terminated, or reset. */
  isCut: boolean
  /** Calls of the `close` handler. */
  ends: number
  code: number | undefined
  pings: string[]
}

/** A shard with some clients, what happens to them, and what must not. */
class Scenario {
  readonly faults: string[] = []
  /** How often more waited for a peer than `highWaterMark`. */
  waits = 0
  readonly shard: MemoryShard
  readonly #random: Random
  readonly #options: Partial<ConnectionOptions>
  readonly #agreement: DeflateAgreement | undefined
  readonly #pairs = new Map<number, Pair>()
  readonly #timed = new Set<Timed>()
  #depth = 0

  constructor(random: Random) {
    this.#random = random
    const chance = (share: number): boolean => random.next() < share
    const deflate: Deflate = random.pick(['none', 'each by itself', 'with context take-over'])
    this.#options = {
      maxPayload: 2 ** 21,
      maxFragments: 2 ** 20,
      maxBackpressure: 2 ** 30,
      highWaterMark: chance(0.5) ? 65_536 : 1000,
      maxMessagesPerSecond: chance(0.5) ? random.pick([20, 300, 5000]) : 0,
      maxBytesPerSecond: chance(0.5) ? random.pick([20_000, 300_000, 5_000_000]) : 0,
      rateLimitPolicy: chance(0.15) ? 'close' : 'pause',
      perMessageDeflate: deflate === 'none' ? undefined : deflateOptions({ threshold: 0, maxContexts: 2 }),
      idlePingMs: 0,
      idleTimeoutMs: 0,
      closeTimeoutMs: 10 ** 9,
    }
    this.#agreement =
      deflate === 'none' ? undefined : { ...AGREEMENT, clientNoContextTakeover: deflate === 'each by itself' }
    const count = random.integer(1, 5)
    this.shard = new MemoryShard(this.#app(chance(0.3)), this.#options, count)
    const { deadlines } = this.shard
    const set = deadlines.set.bind(deadlines)
    deadlines.set = (entry, ms) => {
      this.#timed.add(entry)
      set(entry, ms)
    }
    for (let i = 0; i < count; i++) {
      const pair = { peer: new ScriptedPeer(random, deflate), bornMs: this.shard.nowMs, ...this.#connect() }
      this.#pairs.set(pair.connection.id, {
        ...pair,
        heard: 0,
        isPaused: false,
        isClosing: false,
        isCut: false,
        ends: 0,
        code: undefined,
        pings: [],
      })
    }
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      for (const pair of this.#pairs.values()) if (pair.ends === 0) this.#step(pair)
      // Others have a lot inflated at the same time.
      if (this.#random.next() < 0.3) this.shard.environment.compression?.inflateTurns.spend(2 ** 20)
      if (this.#random.next() < 0.5) this.shard.pass(this.#random.integer(1, 200))
      if (this.#random.next() < 0.6) await turnEnd()
    }
    const pairs = [...this.#pairs.values()]
    for (let round = 0; round < MOST_ROUNDS && pairs.some(({ ends }) => ends === 0); round++) {
      for (const pair of pairs) if (pair.ends === 0) this.#settle(pair)
      this.shard.pass(1000, 1000)
      await turnEnd()
    }
    for (const pair of pairs) this.#checkEnd(pair)
    // Whoever is still asked for would be heard of now.
    for (let turn = 0; turn < 3; turn++) await turnEnd()
    this.#checkShard()
  }

  #connect(): { connection: Connection; transport: MemoryTransport } {
    return this.shard.connect(undefined, this.#agreement)
  }

  /** The application: hears, and does what it likes. */
  #app(views: boolean): TestApp {
    const hear =
      (opcode?: number) =>
      ({ id }: { id: number }, data: string | Buffer, isBinary?: boolean): Promise<void> | undefined => {
        const pair = this.#pairs.get(id) as Pair
        this.#depth++
        this.#hear(pair, opcode ?? (isBinary === true ? BINARY : TEXT), Buffer.from(data as string))
        this.#act(pair, data)
        this.#depth--
        return this.#random.next() < 0.05 ? turnEnd() : undefined
      }
    return {
      views,
      message: hear(),
      ping: hear(PING),
      pong: hear(PONG),
      close: ({ id }, code) => {
        const pair = this.#pairs.get(id) as Pair
        pair.ends++
        pair.code = code
      },
    }
  }

  #hear(pair: Pair, opcode: number, payload: Buffer): void {
    const { connection, peer, bornMs } = pair
    const due = peer.script[pair.heard++]
    const wrong = (what: string): void => this.#fault(pair, what)
    if (due === undefined) return wrong('heard more than was said')
    if (due.opcode !== opcode || !due.payload.equals(payload)) {
      wrong(`heard ${opcode} ${payload.toString('latin1', 0, 20)} (${payload.length} bytes) out of order`)
    }
    if (this.#depth > 1) wrong('heard while a handler runs')
    if (pair.isPaused) wrong('heard while paused')
    if (pair.isClosing || pair.isCut || pair.ends > 0) wrong('heard after the end')
    if (connection.readyState !== 'open') wrong(`heard while ${connection.readyState}`)
    // A bucket is full at first; that of bytes may be in debt of a read.
    const { maxMessagesPerSecond: frames = 0, maxBytesPerSecond: bytes = 0 } = this.#options
    const seconds = 1 + (this.shard.nowMs - bornMs) / 1000
    const arena = this.shard.codec.readArena.length
    if (frames > 0 && due.frames > frames * seconds + 1e-6) wrong(`heard frame ${due.frames} too soon`)
    if (bytes > 0 && due.bytes > bytes * seconds + arena) wrong(`heard byte ${due.bytes} too soon`)
    if (opcode === PING) pair.pings.push(payload.toString('latin1'))
  }

  #act(pair: Pair, data: string | Buffer): void {
    const { connection } = pair
    const what = this.#random.next()
    if (what < 0.2) connection.send(data.length > 3000 ? 'x'.repeat(3000) : data)
    else if (what < 0.23) this.#pause(pair)
    else if (what < 0.24) {
      this.#pause(pair)
      this.#resume(pair)
    } else if (what < 0.241) this.#close(pair)
    else if (what < 0.2412) this.#terminate(pair)
    else if (what < 0.2432) spin()
  }

  /** Something happens, at any time. */
  #step(pair: Pair): void {
    const { connection, peer, transport } = pair
    if (connection.bufferedAmount > this.shard.environment.options.highWaterMark) this.waits++
    const what = this.#random.next()
    if (what < 0.5) peer.speak(transport)
    else if (what < 0.6) transport.capacity = this.#random.integer(0, this.#random.pick([10, 3000]))
    else if (what < 0.7) transport.take(this.#random.pick([100, 10_000, Number.POSITIVE_INFINITY]))
    else if (what < 0.75) this.#pause(pair)
    else if (what < 0.9) this.#resume(pair)
    else if (what < 0.901) this.#close(pair)
    else if (what < 0.902) this.#terminate(pair)
    else if (what < 0.903) {
      pair.isCut = true
      transport.reset()
    } else if (what < 0.904) peer.end(transport)
    else this.#react(pair)
  }

  /** Nobody does anything any more to hold it up. */
  #settle(pair: Pair): void {
    const { peer, transport } = pair
    transport.take()
    this.#resume(pair)
    peer.speak(transport)
    if (peer.ending === 'nothing' && pair.heard === peer.script.length) this.#close(pair)
    this.#react(pair)
    transport.pump()
  }

  /** The peer answers the server's Close frame, and its FIN. */
  #react({ connection, peer, transport, isCut }: Pair): void {
    if (isCut || connection.readyState === 'open' || connection.bufferedAmount > 0) return
    peer.answer(transport, APP_CLOSE)
  }

  #pause(pair: Pair): void {
    if (pair.connection.readyState === 'open') pair.isPaused = true
    pair.connection.pause()
  }

  #resume(pair: Pair): void {
    pair.isPaused = false
    pair.connection.resume()
  }

  #close(pair: Pair): void {
    if (pair.connection.readyState === 'open') pair.isClosing = true
    pair.connection.close(APP_CLOSE)
  }

  #terminate(pair: Pair): void {
    pair.isCut = true
    pair.connection.terminate()
    if (this.#depth === 0) pair.transport.pump()
  }

  #checkEnd(pair: Pair): void {
    const { peer, transport, ends, heard, code, isCut, isClosing } = pair
    const wrong = (what: string): void => this.#fault(pair, what)
    if (ends !== 1) return wrong(`ended ${ends} times`)
    if (isCut) return
    const frames = parseCompressedFrames(transport.sent)
    const closes = frames.filter(({ opcode }) => opcode === 8).length
    if (closes > 1 || (closes === 1 && frames.at(-1)?.opcode !== 8)) wrong('something was sent after Close')
    // Those that could not be answered at once were skipped but for the last.
    const pongs = frames.filter(({ opcode }) => opcode === PONG)
    let at = 0
    for (const { payload } of pongs) {
      const next = pair.pings.indexOf(payload.toString('latin1'), at)
      if (next < 0) wrong('a Pong has no Ping')
      at = next + 1
    }
    if (code === 1008) return
    const own = peer.closeCode ?? 1006
    const expected = peer.ending === 'violation' && peer.hasBroken ? (isClosing ? 1006 : 1002) : own
    if (code !== expected) wrong(`ended with ${code} instead of ${expected}`)
    if (!isClosing && heard !== peer.said) wrong(`heard ${heard} of ${peer.said} that were said`)
  }

  #checkShard(): void {
    const { codec, deadlines, environment, log } = this.shard
    const pairs = [...this.#pairs.values()]
    const { rateLimitPolicy } = this.#options
    const limited = pairs.filter(({ code }) => code === 1008).length
    if (rateLimitPolicy === 'close' && limited !== this.shard.counter('RATE_LIMITED')) this.#tell('1008')
    if (rateLimitPolicy === 'pause' && limited > 0) this.#tell('1008 where it is to pause')
    environment.compression?.close()
    for (const name of ['PINNED', 'SEND_QUEUE'] as const) {
      if (environment.counters[Counter[name]] !== 0) this.#tell(`${name} ${this.shard.counter(name)}`)
    }
    for (const name of ['OPENED', 'CLOSED'] as const) {
      if (this.shard.counter(name) !== pairs.length) this.#tell(`${name} ${this.shard.counter(name)}`)
    }
    if (environment.connections.size > 0) this.#tell('a connection is left')
    const armed = [...this.#timed].filter(entry => entry.timedNext !== undefined)
    if (armed.length > 0) this.#tell(`a deadline is left: ${armed[0].constructor.name}`)
    const slots = pairs.map(() => codec.acquire('server', 1, 1))
    if (slots.includes(-1)) this.#tell('a slot of the codec is left')
    const lines = log.filter(line => !line.startsWith('debug'))
    if (lines.length > 0) this.#tell(lines[0])
    deadlines.stop()
  }

  #fault(pair: Pair, what: string): void {
    const { connection, peer, heard } = pair
    this.#tell(`connection ${connection.id} (${peer.ending}, ${heard} of ${peer.script.length}): ${what}`)
  }

  #tell(what: string): void {
    this.faults.push(what)
  }
}

/** Longer than the arrears of a turn may take, so that somebody's come in the next one. */
function spin(): void {
  for (const end = performance.now() + 11; performance.now() < end; );
}

const { seed } = new Random()

describe(`what the application hears (SHARDWS_SEED=${seed})`, () => {
  const reached = { MESSAGES_IN: 0, RATE_LIMITED: 0, POSTPONED: 0, INFLATED: 0, waits: 0 }

  it.each(Array.from({ length: SCENARIOS / PER_TEST }, (_, part) => part))(
    `is what was said, whatever holds it up, part %i of ${SCENARIOS / PER_TEST}`,
    async part => {
      for (let i = 0; i < PER_TEST; i++) {
        const scenarioSeed = (seed + part * PER_TEST + i) >>> 0
        const scenario = new Scenario(new Random(scenarioSeed))
        await scenario.run()
        expect(scenario.faults.slice(0, 5), `SHARDWS_SEED=${scenarioSeed}`).toEqual([])
        reached.waits += scenario.waits
        for (const name of ['MESSAGES_IN', 'RATE_LIMITED', 'POSTPONED', 'INFLATED'] as const) {
          reached[name] += scenario.shard.counter(name)
        }
      }
    },
    60_000,
  )

  it('was held up by all of it', () => {
    for (const [name, count] of Object.entries(reached)) expect(count, name).toBeGreaterThan(SCENARIOS / 10)
  })
})
