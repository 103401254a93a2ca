import { UNIX } from '../address.js'
import { clientKey } from '../client-key.js'
import type { HandshakeError } from '../errors.js'
import { type Endpoint, findClient } from '../handshake/forwarded.js'
import { ProxyHeaderReader } from '../handshake/proxy-header.js'
import { handshakeError } from '../handshake/refusals.js'
import type { Request } from '../handshake/request.js'
import { monotonicMs } from '../monotonic.js'
import type { Environment } from './environment.js'
import type { Transport } from './transport.js'

/** Who the client of a connection is, where a trusted proxy says so: in a PROXY header, or in one of the request. */
export class Client {
  /** Undefined: who has the other end of the transport. */
  endpoint: Endpoint | undefined
  readonly #environment: Environment
  /** While the PROXY header is coming in. */
  #header: ProxyHeaderReader | undefined
  /** Who has been counted; empty for nobody. */
  #admitted = ''

  /** @param endpoint what a PROXY header has said before; it has been admitted then */
  constructor(environment: Environment, endpoint?: Endpoint) {
    this.#environment = environment
    this.endpoint = endpoint
    if (endpoint !== undefined) this.#admitted = clientKey(endpoint.address)
  }

  /** The PROXY header was not one: nothing that follows can be trusted. */
  get failed(): boolean {
    return this.#header?.failed === true
  }

  /** @returns whether `address` may, and must, begin with a PROXY header: nobody but a trusted proxy may */
  expectHeader(address: string): boolean {
    if (!this.#environment.trusted.has(address)) return false
    this.#header = new ProxyHeaderReader()
    return true
  }

  /**
   * Reads the PROXY header on, from `start` to before `end` of the codec's memory.
   *
   * @returns where what follows it begins; -1 when it is not complete, and when it `failed`
   */
  readHeader(start: number, end: number): number {
    const header = this.#header as ProxyHeaderReader
    const at = header.read(this.#environment.codec.memory, start, end)
    if (at < 0) return at
    this.endpoint = header.source
    this.#header = undefined
    return at
  }

  /**
   * Looks at what the request says about it.
   *
   * @returns the refusal, when a trusted proxy's word can't be read
   */
  readRequest(request: Request, { remoteAddress, remotePort }: Transport): HandshakeError | undefined {
    const { options, trusted } = this.#environment
    const { trustProxyHeader: header } = options
    if (trusted.isEmpty || header === 'none') return undefined
    const peer = this.endpoint ?? { address: remoteAddress, port: remotePort }
    const value = trusted.has(peer.address) ? request.get(header) : undefined
    if (value === undefined) return undefined
    const found = findClient(value, header, peer, trusted)
    if (found === undefined) return handshakeError('ERR_HANDSHAKE_FORWARDED')
    this.endpoint = found
    return undefined
  }

  /**
   * Counts a client that a proxy has named; the primary has seen to those who connect themselves.
   *
   * @returns the refusal, when it has as many connections as it may have, or opens them too fast
   */
  admit(transport: Transport): HandshakeError | undefined {
    const { clients, rates, trusted } = this.#environment
    const { endpoint } = this
    if (endpoint === undefined || endpoint.address === UNIX) return undefined
    // A proxy before the proxy, whose clients are not told: it brings many.
    if (trusted.has(endpoint.address)) return undefined
    const key = clientKey(endpoint.address)
    // Plain HTTP may come first: it is one connection all the same.
    if (key === this.#admitted) return undefined
    if (clients?.take(transport.admission, key) === false) return handshakeError('ERR_HANDSHAKE_TOO_MANY')
    if (rates?.take(key, monotonicMs()) === false) return handshakeError('ERR_HANDSHAKE_TOO_FAST')
    this.#admitted = key
    return undefined
  }
}
