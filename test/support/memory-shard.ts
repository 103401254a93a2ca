import type { Duplex } from 'node:stream'
import { AddressSet } from '../../src/address.js'
import { type App, defineApp, type MessageApp } from '../../src/app.js'
import type { ClientCounts } from '../../src/client-counts.js'
import type { ClientRates } from '../../src/client-rates.js'
import { Codec } from '../../src/codec/codec.js'
import { compileCodec } from '../../src/codec/module.js'
import { Arrears } from '../../src/connection/arrears.js'
import { Compression } from '../../src/connection/compression.js'
import { Connection } from '../../src/connection/connection.js'
import { Deadlines } from '../../src/connection/deadlines.js'
import type { Environment, HttpVisit } from '../../src/connection/environment.js'
import { MemoryBudget } from '../../src/connection/memory-budget.js'
import { Opening } from '../../src/connection/opening.js'
import { Turn } from '../../src/connection/turn.js'
import type { DeflateAgreement } from '../../src/handshake/deflate.js'
import { Counter, Ledger } from '../../src/ledger.js'
import type { Log } from '../../src/log.js'
import type { ConnectionOptions } from '../../src/options.js'
import { Payloads } from '../../src/protocol/payloads.js'
import { resolveOptions } from '../../src/serve-options.js'
import { MemoryTransport } from './memory-transport.js'
import { describeServerFrames } from './peer-frames.js'

/** An application of either kind, so that handlers need no types of their own. */
export type TestApp = Omit<MessageApp<unknown>, 'views'> & { views?: boolean }

/** What is under the connections of a shard, with a clock that the test sets and transports in memory. */
export class MemoryShard {
  readonly environment: Environment
  readonly codec: Codec
  readonly deadlines: Deadlines
  /** Counters of another shard, which does nothing by itself. */
  readonly other = new Ledger().counters
  /** Lines of the log. */
  readonly log: string[] = []
  /** Streams given to HTTP. */
  readonly http: Duplex[] = []
  /** Beside each of them. */
  readonly visits: HttpVisit[] = []
  nowMs = 0

  constructor(
    app: TestApp = {},
    options: Partial<ConnectionOptions> = {},
    slots = 8,
    clients?: ClientCounts,
    rates?: ClientRates,
  ) {
    this.codec = new Codec(compileCodec(), slots)
    this.deadlines = new Deadlines(10, () => this.nowMs)
    const { counters } = new Ledger()
    const log: Log = (level, line, error) => {
      const detail =
        error === undefined ? '' : `: ${error instanceof Error ? String(error) : JSON.stringify(error)}`
      this.log.push(`${level} ${line}${detail}`)
    }
    const all = { ...resolveOptions({}).connection, ...options }
    const memory = new MemoryBudget(counters, [counters, this.other], all.maxMemory, log)
    this.environment = {
      app: defineApp(app as App<unknown>),
      options: all,
      compression:
        all.perMessageDeflate &&
        new Compression(all.perMessageDeflate, this.codec, all.maxPayload, this.deadlines, counters, memory),
      trusted: new AddressSet(options.trustProxy ?? []),
      clients,
      rates,
      codec: this.codec,
      payloads: new Payloads(this.codec.memory),
      turn: new Turn(this.codec),
      arrears: new Arrears(),
      deadlines: this.deadlines,
      memory,
      counters,
      openings: new Set(),
      connections: new Set(),
      log,
      http: {
        serve: (stream, visit) => {
          this.http.push(stream)
          this.visits.push(visit)
        },
      },
      nextId: 1,
      stopping: false,
    }
  }

  /** An open connection, its opening handshake left out. */
  connect(
    data?: unknown,
    deflate?: DeflateAgreement,
  ): { connection: Connection; transport: MemoryTransport } {
    const { environment } = this
    const slot = this.codec.acquire(
      'server',
      environment.options.maxPayload,
      environment.options.maxFragments,
      deflate !== undefined,
    )
    const transport = new MemoryTransport(this.codec, undefined as never)
    const request = { url: '/', headers: {}, remoteAddress: '192.0.2.1', tls: undefined, remotePort: 4242 }
    const connection = new Connection(environment, transport, slot, request, '', data, deflate)
    connection.begin('')
    return { connection, transport }
  }

  /** A connection that has sent nothing yet. */
  accept(): { opening: Opening; transport: MemoryTransport } {
    const opening = new Opening(this.environment)
    const transport = new MemoryTransport(this.codec, opening)
    opening.begin(transport)
    return { opening, transport }
  }

  counter(name: keyof typeof Counter): number {
    return this.environment.counters[Counter[name]]
  }

  /** Time passes, and the wheel is told so every `stepMs`. */
  pass(ms: number, stepMs = 10): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs = Math.min(endMs, this.nowMs + stepMs)
      this.deadlines.advance()
    }
  }
}

/** The turn of the event loop ends, with all that was put off to its end. */
export function turnEnd(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}

/** What the kernel took since this was asked last, as lines such as `text hello`. */
export function framesOf(transport: MemoryTransport): string[] {
  return describeServerFrames(transport.takeSent())
}
