import type { Duplex } from 'node:stream'
import type { Acceptance, Refusal, UpgradeDecision } from '../app.js'
import { type HandshakeError, StateError } from '../errors.js'
import { negotiateDeflate } from '../handshake/deflate.js'
import type { Endpoint } from '../handshake/forwarded.js'
import { HeadReader } from '../handshake/head.js'
import { handshakeError, refusalIndex } from '../handshake/refusals.js'
import { Request } from '../handshake/request.js'
import { type RefusalFacts, serializeAcceptance } from '../handshake/response.js'
import { examine, type Upgrade } from '../handshake/upgrade.js'
import { Counter, count, countLimit } from '../ledger.js'
import { Client } from './client.js'
import { Connection } from './connection.js'
import { Timed } from './deadlines.js'
import { EarlyFrames } from './early-frames.js'
import type { Environment } from './environment.js'
import { isPending, reportFailure } from './failure.js'
import { visitHttp } from './http-visit.js'
import { OpeningRequest } from './opening-request.js'
import { RefusedResponse } from './refused-response.js'
import type { Transport, TransportOwner } from './transport.js'
import { tellWitness } from './witness.js'

const Stage = {
  /** The PROXY header is coming in. */
  ANNOUNCED: -1,
  /** The request head is coming in. */
  READING: 0,
  /** The `upgrade` hook is pending. */
  DECIDING: 1,
  /** Refused: the response goes out, what still comes is thrown away. */
  REFUSED: 2,
  /** Somebody else has the transport, or it has ended. */
  DONE: 3,
} as const

/** What the hook is pending for. */
interface Decision {
  readonly upgrade: Upgrade
  readonly request: OpeningRequest
  readonly early: EarlyFrames
}

/**
 * The opening handshake of one connection (RFC 6455 4.2): reads the request head, asks the application, and gives the
 * transport to a `Connection`, to HTTP, or refuses.
 */
export class Opening extends Timed implements TransportOwner {
  readonly #environment: Environment
  #transport: Transport | undefined
  readonly #reader: HeadReader
  /** Bytes of the request that are kept until all of it is here. */
  #pinned = 0
  /** A byte of the request has come. */
  #begun = false
  /** Whether it is the connection's first request: HTTP has not had the connection yet. */
  #isFirst = true
  #stage: number = Stage.READING
  #decision: Decision | undefined
  #refusal: RefusedResponse | undefined
  #method: string | undefined
  #peerEnded = false
  readonly #client: Client

  /** @param client what a PROXY header has said, where HTTP gives the connection back */
  constructor(environment: Environment, client?: Endpoint) {
    super()
    this.#environment = environment
    this.#client = new Client(environment, client)
    this.#reader = new HeadReader(environment.options)
  }

  begin(transport: Transport): void {
    this.#enter(transport)
    if (this.#environment.options.proxyProtocol) this.#expectProxyHeader(transport)
  }

  /** As `begin`, for a connection that HTTP gives back. */
  beginAgain(transport: Transport): void {
    this.#isFirst = false
    count(this.#environment.counters, Counter.HANDSHAKES_OVER, -1)
    this.#enter(transport)
  }

  /** The shard stops: who has not begun to ask is not waited for. The others are answered. */
  stop(): void {
    if (!this.#begun) this.terminate()
  }

  terminate(): void {
    this.#transport?.destroy()
  }

  receive(length: number): void {
    const { codec } = this.#environment
    const start = codec.readOffset
    switch (this.#stage) {
      case Stage.READING:
        return this.#read(start, start + length)
      case Stage.ANNOUNCED:
        return this.#readProxyHeader(start, start + length)
      case Stage.DECIDING:
        return this.#keepEarly(start, start + length)
      default:
        this.#countIn(length)
    }
  }

  receiveEnd(): void {
    this.#peerEnded = true
    // Half a request will never be a whole one; a refusal is still written to its end.
    if (this.#stage <= Stage.READING) this.#transport?.destroy()
  }

  written(): void {
    this.#refusal?.written()
  }

  closed(): void {
    this.#leave()
    this.#refusal?.discard()
    this.#decision?.request.abort()
    this.#decision?.early.end()
    this.#decision = undefined
  }

  expire(): void {
    if (this.#stage === Stage.REFUSED) {
      countLimit(this.#environment.counters, 'close_timeout')
      this.#transport?.destroy()
      return
    }
    if (this.#stage === Stage.ANNOUNCED) return this.#drop('ERR_HANDSHAKE_TIMEOUT')
    this.#decision?.request.abort()
    this.#refuse(handshakeError('ERR_HANDSHAKE_TIMEOUT'))
  }

  #enter(transport: Transport): void {
    const { deadlines, openings, options } = this.#environment
    this.#transport = transport
    openings.add(this)
    deadlines.set(this, options.handshakeTimeoutMs)
  }

  /** Nobody but a trusted proxy may say who the client is, and it must. */
  #expectProxyHeader(transport: Transport): void {
    if (this.#client.expectHeader(transport.remoteAddress)) this.#stage = Stage.ANNOUNCED
    else this.#drop('ERR_HANDSHAKE_PROXY')
  }

  /** Ends who has not got as far as HTTP, and so gets no response of it. */
  #drop(code: 'ERR_HANDSHAKE_PROXY' | 'ERR_HANDSHAKE_TIMEOUT'): void {
    const { counters, log } = this.#environment
    this.#end(Stage.REFUSED)
    count(counters, Counter.REFUSED)
    count(counters, Counter.REFUSALS + refusalIndex(code))
    log('debug', `refused: ${handshakeError(code).message}`)
    this.#transport?.destroy()
  }

  #readProxyHeader(start: number, end: number): void {
    const { codec } = this.#environment
    const at = this.#client.readHeader(start, end)
    if (at < 0) {
      this.#countIn(end - start)
      if (this.#client.failed) this.#drop('ERR_HANDSHAKE_PROXY')
      return
    }
    this.#countIn(at - start)
    this.#stage = Stage.READING
    const isEncrypted = this.#transport?.secure(codec.memory.subarray(at, end)) === true
    if (!isEncrypted && at < end) this.#read(at, end)
  }

  #read(start: number, end: number): void {
    const { codec, memory, options, stopping } = this.#environment
    const reader = this.#reader
    this.#begun = true
    const at = reader.read(codec.memory, start, end)
    if (reader.error !== undefined) {
      this.#countIn(end - start)
      return this.#refuse(reader.error)
    }
    if (at < 0) {
      this.#countIn(end - start)
      if (!this.#pin(reader.memory)) this.#refuse(handshakeError('ERR_HANDSHAKE_OVERLOADED'))
      return
    }
    this.#countIn(at - start)
    this.#pin(0)
    const request = new Request(reader.head)
    this.#method = request.method
    const upgrade = examine(request, options)
    if (upgrade === undefined) {
      // No resource of ours can be tunnelled through (RFC 9110 9.3.6), and Node cuts such a connection without a word.
      if (request.method === 'CONNECT') return this.#refuse(handshakeError('ERR_HANDSHAKE_CONNECT'))
      // Whom a header of the request names is not asked: a proxy has one connection for the requests of many clients.
      const refusal = this.#isFirst ? this.#client.admit(this.#transport as Transport) : undefined
      return refusal === undefined ? this.#giveToHttp(request, at, end) : this.#refuse(refusal)
    }
    if (upgrade instanceof Error) return this.#refuse(upgrade)
    if (stopping || !memory.admits()) return this.#refuse(handshakeError('ERR_HANDSHAKE_OVERLOADED'))
    const client = this.#client
    const transport = this.#transport as Transport
    const unread = client.readRequest(request, transport)
    if (unread !== undefined) return this.#refuse(unread)
    const refusal = client.admit(transport)
    if (refusal !== undefined) return this.#refuse(refusal)
    this.#ask(upgrade, request, at, end)
  }

  /** Asks the application, if it wants to be asked. `at` to `end` are frames that came with the head. */
  #ask(upgrade: Upgrade, request: Request, at: number, end: number): void {
    const { app, counters, memory } = this.#environment
    const transport = this.#transport as Transport
    const facts = new OpeningRequest(request, transport, upgrade.protocols, this.#client.endpoint)
    if (app.upgrade === undefined) return this.#accept(upgrade, facts, undefined, at, end)
    let decision: UpgradeDecision<unknown> | Promise<UpgradeDecision<unknown>>
    try {
      decision = app.upgrade(facts)
    } catch (error) {
      return this.#hookFailed(error)
    }
    if (!isPending(decision)) return this.#carryOut(upgrade, facts, decision, at, end)
    this.#stage = Stage.DECIDING
    this.#decision = { upgrade, request: facts, early: new EarlyFrames(transport, memory, counters) }
    this.#keepEarly(at, end)
    // Of what is no real promise nothing is certain but this: it is called later, and answers once.
    Promise.resolve(decision).then(
      result => this.#decided(result),
      (error: unknown) => {
        if (this.#stage === Stage.DECIDING) this.#hookFailed(error)
      },
    )
  }

  #keepEarly(at: number, end: number): void {
    const decision = this.#decision
    if (decision === undefined || decision.early.keep(this.#environment.codec.memory, at, end)) return
    decision.request.abort()
    this.#refuse(handshakeError('ERR_HANDSHAKE_OVERLOADED'))
  }

  #decided(result: UpgradeDecision<unknown>): void {
    const decision = this.#decision
    // The client is gone, or has got its 408.
    if (this.#stage !== Stage.DECIDING || decision === undefined) return
    const { codec, stopping } = this.#environment
    if (stopping) return this.#refuse(handshakeError('ERR_HANDSHAKE_OVERLOADED'))
    const transport = this.#transport as Transport
    this.#decision = undefined
    // Before there is a connection, which may want to pause.
    decision.early.end()
    const start = codec.readOffset
    this.#carryOut(decision.upgrade, decision.request, result, start, start)
    if (transport.owner === this) return
    decision.early.deliver(codec.memory, start)
    if (this.#peerEnded) transport.owner.receiveEnd()
  }

  #carryOut(
    upgrade: Upgrade,
    request: OpeningRequest,
    decision: UpgradeDecision<unknown>,
    at: number,
    end: number,
  ): void {
    // A hook that says `return false` does not mean to accept.
    if (decision !== undefined && (typeof decision !== 'object' || decision === null)) {
      return this.#hookFailed(
        new StateError(
          'ERR_STATE_UPGRADE',
          `the upgrade hook returned ${String(decision)}: return nothing or { data, headers, protocol } to accept, { status, headers, body } to refuse`,
        ),
      )
    }
    if (decision?.status !== undefined) this.#refuseAsAsked(decision)
    else this.#accept(upgrade, request, decision as Acceptance<unknown> | undefined, at, end)
  }

  #accept(
    upgrade: Upgrade,
    request: OpeningRequest,
    acceptance: Acceptance<unknown> | undefined,
    at: number,
    end: number,
  ): void {
    const { codec, options } = this.#environment
    const { perMessageDeflate } = options
    const deflate =
      perMessageDeflate === undefined ? undefined : negotiateDeflate(upgrade.extensions, perMessageDeflate)
    let response: string
    try {
      response = serializeAcceptance(upgrade, acceptance, deflate && [deflate.response])
    } catch (error) {
      return this.#hookFailed(error)
    }
    const slot = codec.acquire('server', options.maxPayload, options.maxFragments, deflate !== undefined)
    if (slot < 0) return this.#refuse(handshakeError('ERR_HANDSHAKE_OVERLOADED'))
    const transport = this.#transport as Transport
    this.#leave()
    const protocol = acceptance?.protocol ?? upgrade.protocol ?? ''
    if (acceptance !== undefined) tellWitness(acceptance, request.head, response)
    const connection = new Connection(
      this.#environment,
      transport,
      slot,
      request,
      protocol,
      acceptance?.data,
      deflate?.agreement,
    )
    connection.begin(response)
    if (at < end) connection.receiveAt(at, end - at)
  }

  /** Not a WebSocket request: HTTP gets the connection with all its bytes. */
  #giveToHttp(request: Request, at: number, end: number): void {
    const environment = this.#environment
    const transport = this.#transport as Transport
    const bytes = Buffer.concat([
      Buffer.from(request.head, 'latin1'),
      environment.codec.memory.subarray(at, end),
    ])
    this.#leave()
    if (this.#isFirst) count(environment.counters, Counter.HTTP)
    const client = this.#client.endpoint
    visitHttp(environment, transport, bytes, client, (stream, rest) =>
      reopen(environment, transport, stream, client, rest),
    )
  }

  #hookFailed(error: unknown): void {
    const { app, log } = this.#environment
    reportFailure(app, log, 'the upgrade hook failed', error)
    this.#refuse(handshakeError('ERR_HANDSHAKE_HOOK'))
  }

  #refuseAsAsked(refusal: Refusal): void {
    const { status, headers, body } = refusal
    try {
      this.#refuse({ status, headers, body })
    } catch (error) {
      this.#hookFailed(error)
    }
  }

  #refuse(refusal: HandshakeError | RefusalFacts): void {
    const { deadlines, options } = this.#environment
    this.#refusal = new RefusedResponse(
      this.#environment,
      this.#transport as Transport,
      refusal,
      this.#method,
    )
    this.#decision?.early.end()
    this.#decision = undefined
    this.#end(Stage.REFUSED)
    deadlines.set(this, options.closeTimeoutMs)
  }

  /** The handshake is over, however it ended. */
  #end(stage: typeof Stage.REFUSED | typeof Stage.DONE): void {
    if (this.#stage < Stage.REFUSED) count(this.#environment.counters, Counter.HANDSHAKES_OVER)
    this.#stage = stage
    this.#pin(0)
  }

  /** @returns false when there is no memory for so much of a request */
  #pin(bytes: number): boolean {
    const before = this.#pinned
    this.#pinned = bytes
    return bytes === before || this.#environment.memory.resize(before, bytes)
  }

  #leave(): void {
    this.#end(Stage.DONE)
    this.#environment.deadlines.drop(this)
    this.#environment.openings.delete(this)
  }

  #countIn(length: number): void {
    count(this.#environment.counters, Counter.BYTES_IN, length)
  }
}

/** HTTP has come to a request that is not for it. `bytes` are what was read from there on. */
function reopen(
  environment: Environment,
  transport: Transport,
  stream: Duplex,
  client: Endpoint | undefined,
  bytes: Buffer,
): void {
  const { codec } = environment
  const opening = new Opening(environment, client)
  const reattached = transport.reattach(stream, opening)
  opening.beginAgain(reattached)
  const { length } = codec.readArena
  for (let at = 0; at < bytes.length; at += length) {
    const piece = bytes.subarray(at, at + length)
    codec.readArena.set(piece)
    reattached.owner.receive(piece.length)
  }
}
