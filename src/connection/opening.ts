import type { Acceptance, Refusal, UpgradeDecision } from '../app.js'
import { type HandshakeError, StateError } from '../errors.js'
import { negotiateDeflate } from '../handshake/deflate.js'
import { HeadReader } from '../handshake/head.js'
import { handshakeError, refusalIndex } from '../handshake/refusals.js'
import { Request } from '../handshake/request.js'
import { type RefusalFacts, serializeAcceptance, serializeRefusal } from '../handshake/response.js'
import { examine, type Upgrade } from '../handshake/upgrade.js'
import { Counter, count } from '../ledger.js'
import { Connection } from './connection.js'
import { Timed } from './deadlines.js'
import { Diagnostics } from './diagnostics.js'
import type { Environment } from './environment.js'
import { isPending, reportFailure } from './failure.js'
import { OpeningRequest } from './opening-request.js'
import { Outbox } from './outbox.js'
import type { Transport, TransportOwner } from './transport.js'

/** Bytes of frames that may come while the `upgrade` hook is pending; then reading stands still. */
const MOST_EARLY_BYTES = 64 * 1024

const Stage = {
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
  /** Frames that came before the response. */
  readonly early: Buffer[]
  earlyBytes: number
}

/**
 * The opening handshake of one connection (RFC 6455 4.2): reads the request head, asks the application, and gives the
 * transport to a `Connection`, to HTTP, or refuses.
 */
export class Opening extends Timed implements TransportOwner {
  readonly #environment: Environment
  #transport: Transport | undefined
  readonly #reader: HeadReader
  /** A byte of the request has come. */
  #begun = false
  #stage: number = Stage.READING
  #decision: Decision | undefined
  /** Of a refusal only. */
  #outbox: Outbox | undefined
  #method: string | undefined
  #peerEnded = false

  constructor(environment: Environment) {
    super()
    this.#environment = environment
    this.#reader = new HeadReader(environment.options)
  }

  begin(transport: Transport): void {
    this.#transport = transport
    this.#environment.openings.add(this)
    this.#environment.deadlines.set(this, this.#environment.options.handshakeTimeoutMs)
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
      case Stage.DECIDING:
        return this.#keepEarly(start, start + length)
      default:
        this.#countIn(length)
    }
  }

  receiveEnd(): void {
    this.#peerEnded = true
    // Half a request will never be a whole one; a refusal is still written to its end.
    if (this.#stage === Stage.READING) this.#transport?.destroy()
  }

  written(): void {
    this.#outbox?.written()
  }

  closed(): void {
    this.#leave()
    this.#outbox?.discard()
    this.#decision?.request.abort()
    this.#decision = undefined
  }

  /** Of the refusal's outbox. */
  outputWaits(): void {
    // The deadline bounds it.
  }

  outputTaken(): void {
    // The deadline bounds it.
  }

  expire(): void {
    if (this.#stage === Stage.REFUSED) {
      this.#transport?.destroy()
      return
    }
    this.#decision?.request.abort()
    this.#refuse(handshakeError('ERR_HANDSHAKE_TIMEOUT'))
  }

  #read(start: number, end: number): void {
    const { codec, options, stopping } = this.#environment
    const reader = this.#reader
    this.#begun = true
    const at = reader.read(codec.memory, start, end)
    if (reader.error !== undefined) {
      this.#countIn(end - start)
      return this.#refuse(reader.error)
    }
    if (at < 0) return this.#countIn(end - start)
    this.#countIn(at - start)
    const request = new Request(reader.head)
    this.#method = request.method
    const upgrade = examine(request, options)
    if (upgrade === undefined) return this.#giveToHttp(reader.head, at, end)
    if (upgrade instanceof Error) return this.#refuse(upgrade)
    if (stopping) return this.#refuse(handshakeError('ERR_HANDSHAKE_OVERLOADED'))
    this.#ask(upgrade, request, at, end)
  }

  /** Asks the application, if it wants to be asked. `at` to `end` are frames that came with the head. */
  #ask(upgrade: Upgrade, request: Request, at: number, end: number): void {
    const { app } = this.#environment
    const facts = new OpeningRequest(request, this.#transport as Transport, upgrade.protocols)
    if (app.upgrade === undefined) return this.#accept(upgrade, facts, undefined, at, end)
    let decision: UpgradeDecision<unknown> | Promise<UpgradeDecision<unknown>>
    try {
      decision = app.upgrade(facts)
    } catch (error) {
      return this.#hookFailed(error)
    }
    if (!isPending(decision)) return this.#carryOut(upgrade, facts, decision, at, end)
    this.#stage = Stage.DECIDING
    this.#decision = { upgrade, request: facts, early: [], earlyBytes: 0 }
    this.#keepEarly(at, end)
    // Of what is no real promise nothing is certain but this: it is called later, and answers once.
    Promise.resolve(decision).then(
      result => this.#decided(result),
      (error: unknown) => {
        if (this.#stage === Stage.DECIDING) this.#hookFailed(error)
      },
    )
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
    if (decision.earlyBytes >= MOST_EARLY_BYTES) transport.resume()
    const start = codec.readOffset
    this.#carryOut(decision.upgrade, decision.request, result, start, start)
    if (transport.owner === this) return
    for (const bytes of decision.early) {
      codec.memory.set(bytes, start)
      transport.owner.receive(bytes.length)
    }
    if (this.#peerEnded) transport.owner.receiveEnd()
  }

  #keepEarly(at: number, end: number): void {
    const decision = this.#decision
    if (decision === undefined || at === end) return
    decision.early.push(Buffer.from(this.#environment.codec.memory.subarray(at, end)))
    decision.earlyBytes += end - at
    if (decision.earlyBytes >= MOST_EARLY_BYTES) this.#transport?.pause()
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
  #giveToHttp(head: string, at: number, end: number): void {
    const { codec, counters, http } = this.#environment
    const transport = this.#transport as Transport
    const bytes = Buffer.concat([Buffer.from(head, 'latin1'), codec.memory.subarray(at, end)])
    this.#leave()
    count(counters, Counter.HTTP)
    http.serve(transport.detach(bytes))
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

  /**
   * Sends the refusal and FIN, and reads on until the client's FIN: closing over unread bytes would send a reset,
   * which can destroy the response on its way.
   */
  #refuse(refusal: HandshakeError | RefusalFacts): void {
    const { counters, deadlines, log, options, turn } = this.#environment
    const date = new Date().toUTCString()
    const response = serializeRefusal(refusal, { date, method: this.#method })
    const transport = this.#transport as Transport
    if (this.#decision !== undefined && this.#decision.earlyBytes >= MOST_EARLY_BYTES) transport.resume()
    this.#decision = undefined
    this.#stage = Stage.REFUSED
    count(counters, Counter.REFUSED)
    const { status } = refusal
    const code = refusal instanceof Error ? refusal.code : undefined
    count(counters, Counter.REFUSALS + refusalIndex(code))
    log('debug', `refused: ${status} ${refusal instanceof Error ? refusal.message : ''}`, undefined, {
      event: 'upgrade.refused',
      status,
      fault: code,
    })
    if (Diagnostics.REFUSED.hasSubscribers) {
      const { remoteAddress, remotePort } = transport
      Diagnostics.REFUSED.publish({ status, code, remoteAddress, remotePort })
    }
    this.#outbox = new Outbox(this, transport, turn, counters)
    this.#outbox.sendHead(response)
    this.#outbox.endWhenEmpty()
    deadlines.set(this, options.closeTimeoutMs)
  }

  #leave(): void {
    this.#stage = Stage.DONE
    this.#environment.deadlines.drop(this)
    this.#environment.openings.delete(this)
  }

  #countIn(length: number): void {
    count(this.#environment.counters, Counter.BYTES_IN, length)
  }
}
