import type { SecureContext, Server, TLSSocket } from 'node:tls'
import type { TlsFacts } from '../app.js'
import type { Registry } from '../connection/socket-transport.js'
import { TlsTransport, transportOf } from '../connection/tls-transport.js'
import type { Transport, TransportOwner } from '../connection/transport.js'
import type { Log } from '../log.js'
import { openHandle } from '../tcp-handle.js'
import { contextOptions, loadTls, type TlsMaterial } from '../tls-material.js'
import type { SocketSource, Transports } from './transports.js'

/** Beyond the time that the whole opening handshake has, by when it is over; Node's default is two minutes. */
const HANDSHAKE_GRACE_MS = 1000

/** What all TLS transports of a shard share. */
export interface TlsEnvironment {
  /** The codec's read arena. */
  readonly arena: Uint8Array
  readonly registry: Registry
  /** Of the shard's `Ledger`. */
  readonly counters: Float64Array
  /** Milliseconds for the opening handshake, that of TLS included. */
  readonly handshakeTimeoutMs: number
  /** Connections begin with a PROXY header, before TLS. */
  readonly proxyProtocol: boolean
  readonly log: Log
}

/**
 * Makes the transports of a shard that speaks TLS, with a TLS server of Node that listens to nothing: the sockets come
 * to it from here.
 */
export class TlsTransports implements Transports {
  readonly #environment: TlsEnvironment
  #server: Server

  constructor(material: TlsMaterial, environment: TlsEnvironment) {
    this.#environment = environment
    this.#server = this.#open(material)
  }

  create(source: SocketSource, owner: TransportOwner, admission: number): Transport {
    const { arena, registry, counters, proxyProtocol } = this.#environment
    const handle = 'fd' in source ? openHandle(source.fd) : source.handle
    const onSecure = proxyProtocol ? () => this.#begin(transport) : undefined
    const transport = new TlsTransport(handle, arena, owner, admission, registry, counters, onSecure)
    if (!proxyProtocol) this.#begin(transport)
    return transport
  }

  /** From now on connections begin with other certificates. Those that have begun keep theirs. */
  reload(material: TlsMaterial): void {
    this.#server = this.#open(material)
  }

  close(): void {}

  #begin(transport: TlsTransport): void {
    try {
      this.#server.emit('connection', transport.socket)
    } catch (error) {
      // The descriptor is the transport's by now, which says that it has ended.
      this.#environment.log('warn', 'TLS could not begin', error, { event: 'socket.lost' })
      transport.destroy()
    }
  }

  #open(material: TlsMaterial): Server {
    const { handshakeTimeoutMs, log } = this.#environment
    const tls = loadTls()
    const names = new Map<string, SecureContext>()
    for (const [name, certificate] of material.sni) {
      names.set(name, tls.createSecureContext(contextOptions(material, certificate)))
    }
    const server = tls.createServer({
      ...contextOptions(material, material.certificate),
      requestCert: material.requestCert,
      rejectUnauthorized: material.rejectUnauthorized,
      // RFC 6455 is an upgrade of HTTP/1.1.
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeTimeoutMs + HANDSHAKE_GRACE_MS,
      // Without a certificate of that name the client gets the default one, and decides.
      ...(names.size > 0 && {
        SNICallback: (name: string, done: (error: null, context?: SecureContext) => void) =>
          done(null, findName(names, name)),
      }),
    })
    server.on('secureConnection', stream => begin(stream, material))
    server.on('tlsClientError', (error: NodeJS.ErrnoException, stream) => {
      const fault = String(stream.authorizationError ?? error.code ?? error.message)
      log('debug', `TLS handshake failed: ${fault}`, undefined, { event: 'tls.failed', fault })
    })
    return server
  }
}

function findName(names: ReadonlyMap<string, SecureContext>, asked: string): SecureContext | undefined {
  const name = asked.toLowerCase()
  return names.get(name) ?? names.get(`*${name.slice(name.indexOf('.'))}`)
}

function begin(stream: TLSSocket, material: TlsMaterial): void {
  const transport = transportOf(stream)
  const facts = factsOf(stream, material)
  const isRefused = material.rejectUnauthorized && !facts.authorized
  if (transport === undefined || isRefused || stream.destroyed) {
    stream.destroy()
    return
  }
  // Nobody needs it, and it costs the server more than the client.
  stream.disableRenegotiation()
  transport.begin(stream, facts)
}

/** Looked up at once: when the connection has ended it can't be any more. */
function factsOf(stream: TLSSocket, { requestCert }: TlsMaterial): TlsFacts {
  const certificate = requestCert ? stream.getPeerX509Certificate() : undefined
  // Of a session that was resumed in TLS 1.3 Node says so without a certificate, too.
  const authorized = requestCert && stream.authorized && certificate !== undefined
  // A code, whatever its type says.
  const reason = stream.authorizationError as unknown as string | null
  return {
    version: stream.getProtocol() ?? '',
    cipher: stream.getCipher().standardName,
    // Node's types do not have it for the server's side.
    servername: (stream as { servername?: string | false | null }).servername || undefined,
    resumed: stream.isSessionReused(),
    authorized,
    authorizationError: !requestCert || authorized ? undefined : (reason ?? 'UNABLE_TO_GET_ISSUER_CERT'),
    certificate,
  }
}
