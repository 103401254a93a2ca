import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

/** What a strict page allows and no more: no inline scripts, no eval, nothing from elsewhere. */
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; base-uri 'none'"

/** Files of folders over HTTP on loopback, with a Content-Security-Policy that is strict unless it is given. */
export class StaticServer {
  readonly #server: Server
  readonly url: string

  /** @param roots folders by the first part of the path; `''` is that of all other paths */
  static async start(roots: Readonly<Record<string, string>>, policy = POLICY): Promise<StaticServer> {
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost')
      const [, first, ...rest] = normalize(pathname).split('/')
      const isPart = first !== '' && first in roots
      const path = isPart ? join(roots[first], ...rest) : join(roots[''], pathname)
      const file = path.endsWith('/') ? `${path}index.html` : path
      readFile(file).then(
        body => {
          const type = TYPES[extname(file)] ?? 'application/octet-stream'
          response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': policy })
          response.end(body)
        },
        () => response.writeHead(404).end(),
      )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new StaticServer(server)
  }

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
