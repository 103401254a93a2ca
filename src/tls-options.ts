import { inspect } from 'node:util'
import { OptionError } from './errors.js'

/** PEM: its text, as a string or as bytes; or where the file is, as a path (from the working directory) or a URL. */
export type Pem = string | Uint8Array | URL

/** What a server shows to prove who it is. */
export interface TlsCertificate {
  /** Private key; of several (one of RSA, one of ECDSA) each belongs to the certificate at its place. */
  key: Pem | readonly Pem[]
  /** Certificate, with those of the authorities between it and a root behind it. */
  cert: Pem | readonly Pem[]
  /** What the key is encrypted with. */
  passphrase?: string | undefined
}

/** TLS on the server's port. */
export interface TlsOptions extends TlsCertificate {
  /** Other certificates, by the name that the client asks for (SNI): `example.org`, `*.example.org`. */
  sni?: Readonly<Record<string, TlsCertificate>> | undefined
  /** Clients are asked for a certificate. Default false. */
  requestCert?: boolean | undefined
  /** Whoever has none that `ca` vouches for is turned away. Default true, where `requestCert` is. */
  rejectUnauthorized?: boolean | undefined
  /** The authorities whose client certificates are trusted; no others are. */
  ca?: Pem | readonly Pem[] | undefined
  /** Revocation lists for client certificates. */
  crl?: Pem | readonly Pem[] | undefined
  /** Default `TLSv1.2`. */
  minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** In OpenSSL's words. Default: Node's. */
  ciphers?: string | undefined
  /**
   * 48 secret bytes with which sessions are sealed, so that clients resume them at any shard, and at other servers
   * that have the same. Default: random, and new ones with each `reloadTls`.
   */
  ticketKeys?: Uint8Array | undefined
}

/** Length of `ticketKeys`, in bytes: name, HMAC key and AES key. */
export const TICKET_KEYS_LENGTH = 48

/** A host name or, behind `*.`, those of one label before it. */
const SERVER_NAME = /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/

interface Rule {
  wants: string
  accepts: (value: unknown) => boolean
}

const PEM: Rule = {
  wants: 'PEM text, the path or URL of a PEM file, or a list of them',
  accepts: value => (Array.isArray(value) ? value.length > 0 && value.every(isPem) : isPem(value)),
}
const BOOLEAN: Rule = { wants: 'true or false', accepts: value => typeof value === 'boolean' }
const TEXT: Rule = { wants: 'a string', accepts: value => typeof value === 'string' && value.length > 0 }

const CERTIFICATE_RULES: Record<keyof TlsCertificate, Rule> = { key: PEM, cert: PEM, passphrase: TEXT }

const RULES: Record<keyof TlsOptions, Rule> = {
  ...CERTIFICATE_RULES,
  sni: {
    wants: 'an object with a { key, cert } for each host name, in lower case',
    accepts: value => isObject(value) && Object.keys(value).every(name => SERVER_NAME.test(name)),
  },
  requestCert: BOOLEAN,
  rejectUnauthorized: BOOLEAN,
  ca: PEM,
  crl: PEM,
  minVersion: {
    wants: 'TLSv1.2 or TLSv1.3',
    accepts: value => value === 'TLSv1.2' || value === 'TLSv1.3',
  },
  ciphers: TEXT,
  ticketKeys: {
    wants: `${TICKET_KEYS_LENGTH} bytes`,
    accepts: value => value instanceof Uint8Array && value.length === TICKET_KEYS_LENGTH,
  },
}

/**
 * Checks everything that can be seen without looking at files.
 *
 * @throws OptionError (`ERR_OPTION`) that names the member, and says what it may be
 */
export function checkTlsOptions(options: TlsOptions): void {
  checkMembers('tls', options, RULES)
  for (const [name, certificate] of Object.entries(options.sni ?? {})) {
    checkMembers(`tls.sni['${name}']`, certificate, CERTIFICATE_RULES)
  }
  const { requestCert = false, rejectUnauthorized = true, ca, crl } = options
  if (requestCert && rejectUnauthorized && ca === undefined) {
    refuse('tls.requestCert needs tls.ca, the authorities whose client certificates are trusted')
  }
  if (!requestCert && (ca ?? crl ?? options.rejectUnauthorized) !== undefined) {
    refuse('tls.ca, tls.crl and tls.rejectUnauthorized are for client certificates: set tls.requestCert too')
  }
}

function checkMembers(where: string, value: unknown, rules: Record<string, Rule>): void {
  if (!isObject(value)) refuse(`${where} must be an object with key and cert, not ${show(value)}`)
  for (const [name, member] of Object.entries(value)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule === undefined)
      refuse(`there is no ${where}.${name}; there are: ${Object.keys(rules).join(', ')}`)
    // Not what it is: it may be a secret.
    if (member !== undefined && !rule.accepts(member)) refuse(`${where}.${name} must be ${rule.wants}`)
  }
  for (const name of ['key', 'cert']) {
    if (value[name] === undefined) refuse(`${where}.${name} is missing: it must be ${PEM.wants}`)
  }
}

function isPem(value: unknown): boolean {
  if (value instanceof URL) return value.protocol === 'file:'
  return (typeof value === 'string' || value instanceof Uint8Array) && value.length > 0
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function show(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 20, breakLength: Infinity })
}

function refuse(text: string): never {
  throw new OptionError('ERR_OPTION', text)
}
