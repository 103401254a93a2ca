import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach } from 'vitest'
import type { App } from '../../src/app.js'
import type { Page } from '../../src/built-in/page.js'
import { Arrears } from '../../src/connection/arrears.js'
import type { HttpClients } from '../../src/connection/http-clients.js'
import { HttpInput } from '../../src/connection/http-input.js'
import { MemoryBudget } from '../../src/connection/memory-budget.js'
import { type Board, createPrimaryCounters, Ledger } from '../../src/ledger.js'
import { resolveOptions } from '../../src/serve-options.js'
import { type HttpOptions, ShardHttp } from '../../src/shard/http.js'

const stops: (() => void)[] = []

afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** A shard's HTTP, fed by a listener, up to the end of the test. */
export async function serveHttp(
  app: App<unknown> = {},
  path?: string,
  bounds: Partial<HttpOptions> = {},
  metricsPath?: string,
  clients?: HttpClients,
  page?: Page,
) {
  const log: string[] = []
  const { counters } = new Ledger()
  const board: Board = { primary: createPrimaryCounters(), workers: 1, shards: [counters] }
  const options = { ...resolveOptions({}).connection, path, ...bounds }
  const tell = (level: string, line: string, error?: unknown): void => {
    log.push(`${level} ${line}: ${String(error)}`)
  }
  const http = new ShardHttp(app, options, tell, { board, counters, metricsPath, page }, clients)
  const arrears = new Arrears()
  const memory = new MemoryBudget(counters, [counters], options.maxMemory, tell)
  const ends: string[] = []
  let admission = 0
  const server: Server = createServer(socket => {
    const input = new HttpInput(socket, arrears, memory)
    http.serve(socket, {
      admission: admission++,
      peer: { address: '127.0.0.1', port: 0 },
      input,
      end: bytes => void ends.push(Buffer.concat([bytes, input.end()]).toString('latin1')),
    })
    input.begin()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stops.push(() => {
    server.close()
    http.destroy()
  })
  return { http, log, ends, board, port: (server.address() as AddressInfo).port }
}

/** The head of a request. */
export function requestHead(line: string, ...headers: string[]): string {
  return `${[line, 'Host: x', ...headers].join('\r\n')}\r\n\r\n`
}
