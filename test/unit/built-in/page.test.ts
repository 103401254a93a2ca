import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Page } from '../../../src/built-in/page.js'
import { RawClient } from '../../raw-client.js'
import { serveHttp } from '../../support/shard-http.js'

const HTML = 'Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8'
let log: string[] = []
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shardws-page-'))
  await writeFile(join(directory, 'index.html'), '<meta content="{{path}}">')
  await writeFile(join(directory, 'page.js'), 'import "it"')
})

afterAll(() => rm(directory, { recursive: true }))

/** A shard's HTTP with a page. @returns its port */
async function serve(path?: string, metricsPath?: string): Promise<number> {
  const page = new Page(path, pathToFileURL(`${directory}/`))
  const served = await serveHttp({}, path, {}, metricsPath, undefined, page)
  log = served.log
  return served.port
}

interface Answer {
  status: number
  headers: Record<string, string>
  body: string
}

async function ask(port: number, line: string, ...headers: string[]): Promise<Answer> {
  const client = await RawClient.connect(port)
  client.send(
    `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.map(h => `${h}\r\n`).join('')}\r\n`,
  )
  await client.closed
  const [head, body] = client.received.split('\r\n\r\n')
  const [status, ...lines] = head.split('\r\n')
  const pairs = lines.map(each => [each.split(': ', 1)[0].toLowerCase(), each.slice(each.indexOf(': ') + 2)])
  return { status: Number(status.split(' ')[1]), headers: Object.fromEntries(pairs) as never, body }
}

describe('the page', () => {
  it('is for those who take HTML', async () => {
    const port = await serve()
    const { status, headers, body } = await ask(port, 'GET /?x=1', HTML)
    expect({ status, body }).toEqual({ status: 200, body: '<meta content="">' })
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-length': '17',
      'cache-control': 'no-cache',
      vary: 'Accept',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    for (const accept of ['Accept: */*', 'Accept: text/htmlx', 'Accept: application/json', 'X: text/html']) {
      const answer = await ask(port, 'GET /', accept)
      expect(answer).toMatchObject({
        status: 426,
        headers: { upgrade: 'websocket', vary: 'Accept' },
        body: 'Upgrade Required: this is a WebSocket server; there is a page for browsers here\n',
      })
    }
  })

  it('has files beside it, for everybody', async () => {
    const port = await serve()
    expect(await ask(port, 'GET /page.js')).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/javascript; charset=utf-8' },
      body: 'import "it"',
    })
    const answer = await ask(port, 'HEAD /page.js')
    expect(answer).toMatchObject({ status: 200, headers: { 'content-length': '11' }, body: '' })
  })

  it('knows the path of the WebSocket, whatever that is', async () => {
    const port = await serve('/"<chat>&$&')
    expect((await ask(port, 'GET /', HTML)).body).toBe('<meta content="/&quot;&lt;chat>&amp;$&amp;">')
    const answer = await ask(port, 'GET /', 'Accept: */*')
    expect(answer).toMatchObject({ status: 404, body: 'Not Found; there is a page for browsers here\n' })
  })

  it('is not sent again to those who have it', async () => {
    const port = await serve()
    const { headers } = await ask(port, 'GET /', HTML)
    for (const tags of [headers.etag, `"x", W/${headers.etag}`, '*']) {
      const answer = await ask(port, 'GET /', HTML, `If-None-Match: ${tags}`)
      expect(answer).toMatchObject({ status: 304, headers: { etag: headers.etag }, body: '' })
    }
    expect(await ask(port, 'GET /', HTML, 'If-None-Match: "x"')).toMatchObject({ status: 200 })
  })

  it.each([
    ['GET /healthz', 200],
    ['GET /readyz', 503],
    ['GET /metrics', 200],
    ['GET /page.js/', 426],
    ['GET /index.html', 426],
    ['GET /../page.js', 426],
    ['GET /constructor', 426],
    ['POST /', 426],
  ])('leaves %s at %i', async (line, status) => {
    const port = await serve(undefined, '/metrics')
    expect(await ask(port, line, HTML)).toMatchObject({ status })
  })

  it('that lacks a file is a fault of the server, which goes on', async () => {
    const port = await serve()
    expect(await ask(port, 'GET /page.css')).toMatchObject({ status: 500, body: 'Internal Server Error\n' })
    expect(log).toEqual([
      expect.stringMatching(/^error the page can not be read: Error: ENOENT: .*page\.css'$/),
    ])
    expect(await ask(port, 'GET /page.js')).toMatchObject({ status: 200 })
  })
})
