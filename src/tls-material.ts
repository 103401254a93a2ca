import { createRequire } from 'node:module'
import type { SecureContextOptions } from 'node:tls'

/** A key and its certificate, as PEM text. */
export interface CertificateMaterial {
  key: string[]
  cert: string[]
  passphrase: string | undefined
}

/** All that a shard needs for TLS: files are read, and what crosses to other threads is text and bytes. */
export interface TlsMaterial {
  certificate: CertificateMaterial
  /** By name, in lower case; `*.` stands for one label. */
  sni: ReadonlyMap<string, CertificateMaterial>
  requestCert: boolean
  rejectUnauthorized: boolean
  ca: string[]
  crl: string[]
  minVersion: 'TLSv1.2' | 'TLSv1.3'
  ciphers: string | undefined
  /** The same in all shards. */
  ticketKeys: Uint8Array
  /** Sessions are resumed only under the rules for client certificates under which they began. */
  sessionContext: string
}

/** Loading it takes a thread some 20 ms, which a server without TLS has no use for. */
export function loadTls(): typeof import('node:tls') {
  return createRequire(import.meta.url)('node:tls')
}

/** What Node makes a context of, for one of the certificates. */
export function contextOptions(tls: TlsMaterial, certificate: CertificateMaterial): SecureContextOptions {
  const { ca, crl, minVersion, ciphers, ticketKeys, sessionContext } = tls
  const { key, cert, passphrase } = certificate
  return {
    key: passphrase === undefined ? key : key.map(pem => ({ pem, passphrase })),
    cert,
    // An empty list is no authority at all, while none would be every authority that Node knows.
    ca,
    ...(crl.length > 0 && { crl }),
    ...(ciphers !== undefined && { ciphers }),
    minVersion,
    sessionIdContext: sessionContext,
    ticketKeys: Buffer.from(ticketKeys.buffer, ticketKeys.byteOffset, ticketKeys.length),
  }
}
