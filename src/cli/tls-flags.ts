import type { TlsOptions } from '../tls-options.js'

/** The flags of the option `tls`, which take files: by name, without the dashes. What else it can do needs a program. */
export const TLS_FLAGS = {
  'tls-key': 'private key for TLS, a PEM file',
  'tls-cert': 'its certificate, with those between it and a root, a PEM file; read again at SIGHUP',
  'tls-ca': 'the authorities that client certificates must come from, a PEM file; clients need one then',
} as const

type TlsFlag = keyof typeof TLS_FLAGS

/**
 * The option that the flags stand for, undefined without any.
 *
 * @param values by name of the flag
 * @param refuse throws
 */
export function tlsOf(
  values: Readonly<Partial<Record<TlsFlag, unknown>>>,
  refuse: (text: string) => never,
): TlsOptions | undefined {
  const { 'tls-key': key, 'tls-cert': cert, 'tls-ca': ca } = values
  if (key === undefined && cert === undefined && ca === undefined) return undefined
  if (!isFile(key) || !isFile(cert)) return refuse('--tls-key and --tls-cert must both be given, each a file')
  if (ca === undefined) return { key, cert }
  return isFile(ca) ? { key, cert, ca, requestCert: true } : refuse('--tls-ca must be a file')
}

function isFile(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
