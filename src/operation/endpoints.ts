import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Board, Phase, PrimaryCounter } from '../ledger.js'
import { CONTENT_TYPE } from './exposition.js'
import { anyReady, renderMetrics } from './metrics.js'

/** The path of a request, without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0]
}

/** Whether a request only asks for something. */
export function isReading(request: IncomingMessage): boolean {
  return request.method === 'GET' || request.method === 'HEAD'
}

/** Answers with the metrics. */
export function answerMetrics(response: ServerResponse, board: Board): void {
  response.statusCode = 200
  response.setHeader('Content-Type', CONTENT_TYPE)
  response.setHeader('Cache-Control', 'no-store')
  response.end(renderMetrics(board))
}

/**
 * Answers `/healthz`, which is 200 as long as somebody answers at all, and `/readyz`, which is 200 while the server
 * takes connections and else 503.
 *
 * @returns whether it was one of them
 */
export function answerProbe(path: string, response: ServerResponse, board: Board): boolean {
  if (path === '/healthz') {
    respond(response, 200, 'ok')
    return true
  }
  if (path !== '/readyz') return false
  const hindrance = whyNotReady(board)
  respond(response, hindrance === undefined ? 200 : 503, hindrance ?? 'ready')
  return true
}

function whyNotReady({ primary, shards }: Board): string | undefined {
  switch (primary[PrimaryCounter.PHASE]) {
    case Phase.STARTING:
      return 'the server starts'
    case Phase.STOPPING:
      return 'the server stops'
    default:
      return anyReady(shards) ? undefined : 'no shard is ready'
  }
}

/** Answers with one line of text. */
export function respond(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`${text}\n`)
}
