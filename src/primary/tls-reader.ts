import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { OptionError } from '../errors.js'
import { type CertificateMaterial, contextOptions, loadTls, type TlsMaterial } from '../tls-material.js'
import { type Pem, TICKET_KEYS_LENGTH, type TlsCertificate, type TlsOptions } from '../tls-options.js'

type Pems = Pem | readonly Pem[]

/**
 * Reads the files that options name, and has OpenSSL look at all of it.
 *
 * @param options checked by `checkTlsOptions`
 * @throws OptionError (`ERR_TLS`): a file can't be read, a key does not belong to its certificate, ...; its `cause` is
 *   the original error
 */
export function readTls(options: TlsOptions): TlsMaterial {
  const { requestCert = false, rejectUnauthorized = requestCert, minVersion = 'TLSv1.2', ciphers } = options
  const ca = readAll('tls.ca', options.ca)
  const crl = readAll('tls.crl', options.crl)
  const rules = JSON.stringify([requestCert, rejectUnauthorized, ca, crl])
  const tls: TlsMaterial = {
    certificate: readCertificate('tls', options),
    sni: new Map(
      Object.entries(options.sni ?? {}).map(([name, certificate]) => [
        name,
        readCertificate(`tls.sni['${name}']`, certificate),
      ]),
    ),
    requestCert,
    rejectUnauthorized,
    ca,
    crl,
    minVersion,
    ciphers,
    ticketKeys: new Uint8Array(options.ticketKeys ?? randomBytes(TICKET_KEYS_LENGTH)),
    // As long as OpenSSL takes it.
    sessionContext: createHash('sha256').update(rules).digest('hex').slice(0, 32),
  }
  check('tls', tls, tls.certificate)
  for (const [name, certificate] of tls.sni) check(`tls.sni['${name}']`, tls, certificate)
  return tls
}

/** Whether reading the options again could give something else. */
export function hasFiles(options: TlsOptions): boolean {
  const certificates: TlsCertificate[] = [options, ...Object.values(options.sni ?? {})]
  const pems = [...certificates.flatMap(({ key, cert }) => [key, cert]), options.ca, options.crl]
  return pems.some(pem => listOf(pem).some(isFile))
}

function readCertificate(where: string, { key, cert, passphrase }: TlsCertificate): CertificateMaterial {
  return { key: readAll(`${where}.key`, key), cert: readAll(`${where}.cert`, cert), passphrase }
}

function readAll(where: string, pems: Pems | undefined): string[] {
  return listOf(pems).map(pem => read(where, pem))
}

function listOf(pems: Pems | undefined): readonly Pem[] {
  if (pems === undefined) return []
  return Array.isArray(pems) ? (pems as readonly Pem[]) : [pems as Pem]
}

/** Whatever has a heading is PEM: no path looks like that. */
function isFile(pem: Pem): boolean {
  return pem instanceof URL || (typeof pem === 'string' && !pem.includes('-----BEGIN '))
}

function read(where: string, pem: Pem): string {
  if (!isFile(pem)) return typeof pem === 'string' ? pem : Buffer.from(pem as Uint8Array).toString('latin1')
  const path = pem instanceof URL ? fileURLToPath(pem) : (pem as string)
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Whoever meant text has put no file's name there, but perhaps a secret.
    const name = path.length > 200 || path.includes('\n') ? 'what was given' : path
    throw new OptionError(
      'ERR_TLS',
      `${where}: ${name} can't be read (${code}); give the path of a PEM file, or its text`,
      { cause: error },
    )
  }
  if (!text.includes('-----BEGIN ')) {
    throw new OptionError('ERR_TLS', `${where}: ${path} is no PEM file: there is no "-----BEGIN" in it`)
  }
  return text
}

/** Makes a context as the shards will. */
function check(where: string, tls: TlsMaterial, certificate: CertificateMaterial): void {
  try {
    loadTls().createSecureContext(contextOptions(tls, certificate))
    // Of authorities it takes those that it can read.
    tls.ca.forEach(parse)
  } catch (error) {
    throw new OptionError('ERR_TLS', `${where}: ${explain(error as NodeJS.ErrnoException)}`, { cause: error })
  }
}

/** @throws when it is no certificate */
function parse(pem: string): X509Certificate {
  return new X509Certificate(pem)
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ERR_OSSL_X509_KEY_VALUES_MISMATCH':
      return 'the key does not belong to the certificate; give the two that were made together'
    case 'ERR_OSSL_BAD_DECRYPT':
    case 'ERR_OSSL_EVP_BAD_DECRYPT':
      return 'the passphrase is not that of the key'
    default:
      return /passphrase|interrupted or cancelled/i.test(message)
        ? 'the key is encrypted; give its passphrase'
        : `OpenSSL can't use the key, the certificate or another of the options: ${message}`
  }
}
