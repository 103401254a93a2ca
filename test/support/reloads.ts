import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type Agent, get } from 'node:http'
import { afterEach } from 'vitest'
import { WebSocket } from 'ws'
import type { ServeOptions, Server } from '../../src/index.js'
import type { HandoffWay } from '../../src/primary/handoff.js'
import { ReloadableApp } from './reloadable-app.js'
import { soon, until } from './until.js'

const built = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href
const { Server: BuiltServer } = (await import(
  built('primary/server.js')
)) as typeof import('../../src/primary/server.js')
const { resolveOptions } = (await import(
  built('serve-options.js')
)) as typeof import('../../src/serve-options.js')

/** Of the server that `start` has started. */
export let app: ReloadableApp
let server: Server | undefined
const clients: WebSocket[] = []

/** After each test of the file that calls it, its server and clients end. */
export function setUpReloads(): void {
  afterEach(async () => {
    for (const client of clients.splice(0)) client.terminate()
    await server?.close({ timeoutMs: 0 })
    server = undefined
    app.remove()
  })
}

export async function start(options: ServeOptions = {}, handoff?: HandoffWay): Promise<Server> {
  app = new ReloadableApp()
  const all: ServeOptions = {
    port: 0,
    host: '127.0.0.1',
    workers: 2,
    logLevel: 'silent',
    app: app.path,
    ...options,
  }
  const backoff = { firstMs: 10, maxMs: 80, healthyMs: 60_000 }
  server = await BuiltServer.start(resolveOptions(all), { backoff, ...(handoff && { handoff }) })
  return server
}

export const portOf = (of: Server): number => of.address()?.port as number

export async function connect(to: Server): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${portOf(to)}`)
  clients.push(client)
  client.on('error', () => {})
  await soon('the connection opens', once(client, 'open'))
  return client
}

/** As many clients for each shard. */
export function connectMany(to: Server, count: number): Promise<WebSocket[]> {
  return Promise.all(Array.from({ length: count }, () => connect(to)))
}

async function ask(client: WebSocket, text: string): Promise<string> {
  client.send(text)
  const [data] = (await soon('the answer', once(client, 'message'))) as [Buffer]
  return data.toString()
}

/** The version of the code that answers, and its generation. */
export async function codeOf(client: WebSocket): Promise<string> {
  const [version, generation] = (await ask(client, '?')).split(' ')
  return `${version}${generation}`
}

export const codesOf = (of: readonly WebSocket[]): Promise<string[]> => Promise.all(of.map(codeOf))

export async function closeCode(client: WebSocket): Promise<number> {
  const [code] = (await soon('the end', once(client, 'close'))) as [number]
  return code
}

export function shardErrors(of: Server): [code: string, index: number][] {
  const errors: [string, number][] = []
  of.on('shardError', (error, index) => errors.push([error.code, index]))
  return errors
}

/** HTTP with or without an agent that keeps connections. */
export function fetchText(
  port: number,
  path = '/',
  agent?: Agent,
): Promise<{ status: number; text: string; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    const request = get({ port, host: '127.0.0.1', path, agent: agent ?? false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text, connection: response.headers.connection }),
      )
    })
    request.on('error', reject)
  })
}

export const threads = (): number => readdirSync('/proc/self/task').length
export const descriptors = (): number => readdirSync('/proc/self/fd').length
export const drained = (of: Server): Promise<unknown> =>
  until('the old shards have ended', () => of.stats().draining.shards === 0)
