import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** What the build makes of page/, beside this folder in dist/. */
const DIRECTORY = new URL('../page/', import.meta.url)

/** By path: the file, and its type. */
const FILES: Readonly<Record<string, readonly [name: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/theme.js': ['theme.js', 'text/javascript; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
  '/codec.wasm': ['../codec/codec.wasm', 'application/wasm'],
}

/** Nothing from elsewhere, nothing inline; WebSockets to anywhere, which is what the page is for. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Stands in index.html where the path of the WebSocket goes. */
const PATH_PLACE = '{{path}}'

interface Content {
  readonly body: Buffer
  readonly etag: string
}

/**
 * The page of the built-in application: a few small files, read when they are first asked for and kept. It answers for
 * its own paths only, and at `/` only those who take HTML, so that programs get what they got before there was a page.
 */
export class Page {
  readonly #directory: URL
  readonly #path: string
  readonly #contents = new Map<string, Content>()

  /** @param path of the WebSocket; undefined for any, then the page connects to where it is itself */
  constructor(path: string | undefined, directory = DIRECTORY) {
    this.#path = path ?? ''
    this.#directory = directory
  }

  /**
   * Answers a GET or HEAD, if the page has something at `path`.
   *
   * @returns whether it did
   * @throws the system's error when a file can't be read
   */
  answer(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    if (!Object.hasOwn(FILES, path)) return false
    if (path === '/') {
      response.setHeader('Vary', 'Accept')
      if (!takesHtml(request.headers.accept)) return false
    }
    const [name, type] = FILES[path]
    const { body, etag } = this.#content(name)
    response.setHeader('ETag', etag)
    // Asked again each time: the next version of the package has other files at the same paths.
    response.setHeader('Cache-Control', 'no-cache')
    response.setHeader('Content-Security-Policy', POLICY)
    response.setHeader('X-Content-Type-Options', 'nosniff')
    response.setHeader('Referrer-Policy', 'no-referrer')
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin')
    if (hasTag(request.headers['if-none-match'], etag)) {
      response.statusCode = 304
      response.end()
    } else {
      response.setHeader('Content-Type', type)
      response.setHeader('Content-Length', body.length)
      response.end(body)
    }
    return true
  }

  #content(name: string): Content {
    const known = this.#contents.get(name)
    if (known !== undefined) return known
    let body: Buffer = readFileSync(new URL(name, this.#directory))
    if (name === 'index.html')
      body = Buffer.from(body.toString().replace(PATH_PLACE, () => escapeHtml(this.#path)))
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    const content = { body, etag }
    this.#contents.set(name, content)
    return content
  }
}

/** Whether `Accept` names HTML, as that of every browser does; `*` alone is what curl and programs send. */
function takesHtml(accept = ''): boolean {
  return /(?:^|[,\s])text\/html(?:[\s;,]|$)/i.test(accept)
}

/** RFC 9110 13.1.2: the comparison is weak, since proxies that compress make it so. */
function hasTag(list: string | undefined, etag: string): boolean {
  if (list === undefined) return false
  return list.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag || tag.trim() === '*')
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
