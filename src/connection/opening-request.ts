import type { RequestHeaders, TlsFacts, UpgradeRequest } from '../app.js'
import type { Endpoint } from '../handshake/forwarded.js'
import type { Request } from '../handshake/request.js'
import type { Transport } from './transport.js'

/**
 * The opening request as the application sees it, in the `upgrade` hook and as `socket.request`. All of it is looked
 * up when it is asked for: it lives as long as the connection.
 */
export class OpeningRequest implements UpgradeRequest {
  readonly protocols: readonly string[]
  readonly #request: Request
  readonly #transport: Transport
  /** What a proxy says of it. */
  readonly #client: Endpoint | undefined
  #abort: AbortController | undefined
  #aborted = false

  constructor(
    request: Request,
    transport: Transport,
    protocols: readonly string[],
    client: Endpoint | undefined,
  ) {
    this.#request = request
    this.#transport = transport
    this.#client = client
    this.protocols = protocols
  }

  /** @internal All of it, one character per byte. */
  get head(): string {
    return this.#request.head
  }

  get url(): string {
    return this.#request.url
  }

  get headers(): RequestHeaders {
    return this.#request.headers
  }

  get remoteAddress(): string {
    return this.#client?.address ?? this.#transport.remoteAddress
  }

  get remotePort(): number {
    return this.#client?.port ?? this.#transport.remotePort
  }

  get tls(): TlsFacts | undefined {
    return this.#transport.tls
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#aborted) this.#abort.abort()
    return this.#abort.signal
  }

  /** The client is gone, or its time is over. */
  abort(): void {
    this.#aborted = true
    this.#abort?.abort()
  }
}
