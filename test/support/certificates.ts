import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A key and its certificate: files, and their text. */
export interface Certificate {
  keyFile: string
  certFile: string
  key: string
  cert: string
}

/** Certificates made for one test by the command `openssl`: no private key is kept anywhere. */
export class Authority {
  readonly directory: string
  /** The authority's own. */
  readonly root: Certificate

  static async create(name = 'Test Authority'): Promise<Authority> {
    return new Authority(await mkdtemp(join(tmpdir(), 'shardws-tls-')), name)
  }

  private constructor(directory: string, name: string) {
    this.directory = directory
    this.root = this.#make('root', [
      '-subj',
      `/CN=${name}`,
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    ])
  }

  /** A certificate for a server with these names. */
  server(file: string, ...names: string[]): Certificate {
    const alternatives = [...names.map(name => `DNS:${name}`), 'IP:127.0.0.1'].join(',')
    return this.#issue(file, [
      '-subj',
      `/CN=${names[0]}`,
      '-addext',
      `subjectAltName=${alternatives}`,
      '-addext',
      'extendedKeyUsage=serverAuth',
    ])
  }

  client(file: string, name: string): Certificate {
    return this.#issue(file, ['-subj', `/CN=${name}`, '-addext', 'extendedKeyUsage=clientAuth'])
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }

  #issue(file: string, args: readonly string[]): Certificate {
    const { keyFile, certFile } = this.root
    const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE']
    return this.#make(file, ['-CA', certFile, '-CAkey', keyFile, ...leaf, ...args])
  }

  #make(file: string, args: readonly string[]): Certificate {
    const keyFile = join(this.directory, `${file}.key.pem`)
    const certFile = join(this.directory, `${file}.cert.pem`)
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    execFileSync('openssl', ['req', '-x509', ...made, '-keyout', keyFile, '-out', certFile, ...args], {
      stdio: 'pipe',
    })
    return {
      keyFile,
      certFile,
      key: readFileSync(keyFile, 'utf8'),
      cert: readFileSync(certFile, 'utf8'),
    }
  }
}
