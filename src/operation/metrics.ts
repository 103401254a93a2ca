import { REFUSAL_REASONS } from '../handshake/refusals.js'
import {
  type Board,
  CLOSE_CODES,
  Counter,
  DENIALS,
  Histogram,
  type HistogramCells,
  LIMITS,
  Phase,
  PrimaryCounter,
} from '../ledger.js'
import { Exposition } from './exposition.js'

type Counters = Board['shards'][number]

/** A family with one sample for each shard, of which there may be several generations. */
interface ShardFamily {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly value: (counters: Counters) => number
  readonly combine: (values: readonly number[]) => number
}

const add = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const most = (values: readonly number[]): number => Math.max(...values)

function counter(name: string, index: number, help: string): ShardFamily {
  return { name, type: 'counter', help, value: counters => counters[index], combine: add }
}

function gauge(
  name: string,
  value: (counters: Counters) => number,
  help: string,
  combine = add,
): ShardFamily {
  return { name, type: 'gauge', help, value, combine }
}

/** The end is read before the beginning, which may go on meanwhile: there are never fewer than none. */
function present(began: number, ended: number): (counters: Counters) => number {
  return counters => {
    const gone = counters[ended]
    return Math.max(0, counters[began] - gone)
  }
}

const SHARD_FAMILIES: readonly ShardFamily[] = [
  gauge('shardws_shard_ready', c => (isReady(c) ? 1 : 0), 'Whether the shard takes connections.', most),
  counter('shardws_shard_crashes_total', Counter.CRASHES, 'Ends of the shard that nobody asked for.'),
  counter('shardws_shard_restarts_total', Counter.RESTARTS, 'Starts of the shard after such an end.'),
  gauge(
    'shardws_sockets',
    present(Counter.ADOPTED, Counter.ENDED),
    'TCP connections that the shard holds: WebSocket, opening handshakes and HTTP.',
  ),
  gauge(
    'shardws_handshakes',
    present(Counter.ADOPTED, Counter.HANDSHAKES_OVER),
    'Opening handshakes in progress.',
  ),
  counter('shardws_sockets_adopted_total', Counter.ADOPTED, 'TCP connections handed to the shard.'),
  gauge('shardws_connections', present(Counter.OPENED, Counter.CLOSED), 'Open WebSocket connections.'),
  counter('shardws_connections_opened_total', Counter.OPENED, 'WebSocket connections opened.'),
  counter(
    'shardws_tls_handshakes_failed_total',
    Counter.TLS_FAILED,
    'TLS handshakes begun that did not come to their end.',
  ),
  counter(
    'shardws_http_connections_total',
    Counter.HTTP,
    'Connections whose first request was no WebSocket upgrade.',
  ),
  counter(
    'shardws_http_requests_refused_total',
    Counter.HTTP_REFUSED,
    'HTTP requests beyond a bound, or that were not HTTP.',
  ),
  counter(
    'shardws_http_clients_refused_total',
    Counter.HTTP_TOO_MANY,
    'HTTP requests through a proxy of clients with as many connections as they may have.',
  ),
  counter(
    'shardws_http_spent_closed_total',
    Counter.HTTP_SPENT,
    'HTTP connections that ended with the last request they may bring.',
  ),
  counter(
    'shardws_http_idle_closed_total',
    Counter.HTTP_IDLE,
    'HTTP connections closed since the next request did not come in time.',
  ),
  counter(
    'shardws_early_frames_held_total',
    Counter.EARLY_HELD,
    'Opening handshakes not read from until they were decided about, since so many frames had come.',
  ),
  counter('shardws_messages_received_total', Counter.MESSAGES_IN, 'Messages delivered to the application.'),
  counter('shardws_messages_sent_total', Counter.MESSAGES_OUT, 'Messages that send accepted.'),
  counter(
    'shardws_compressing_connections_total',
    Counter.COMPRESSING,
    'WebSocket connections opened with permessage-deflate.',
  ),
  counter('shardws_deflated_messages_total', Counter.DEFLATED, 'Messages sent compressed.'),
  counter('shardws_deflate_input_bytes_total', Counter.DEFLATE_INPUT, 'Bytes of them before.'),
  counter('shardws_deflate_output_bytes_total', Counter.DEFLATE_OUTPUT, 'Bytes of them compressed.'),
  counter('shardws_inflated_messages_total', Counter.INFLATED, 'Compressed messages received.'),
  counter('shardws_inflate_input_bytes_total', Counter.INFLATE_INPUT, 'Bytes of them compressed.'),
  counter('shardws_inflate_output_bytes_total', Counter.INFLATE_OUTPUT, 'Bytes of them inflated.'),
  counter(
    'shardws_inflate_postponed_total',
    Counter.POSTPONED,
    'Compressed messages that waited since others had so much inflated.',
  ),
  gauge(
    'shardws_zlib_streams',
    c => c[Counter.ZLIB_STREAMS],
    'Compressors and inflaters that the shard has, in use or not.',
  ),
  counter('shardws_messages_dropped_total', Counter.DROPPED, 'Messages that send did not accept.'),
  counter(
    'shardws_pongs_skipped_total',
    Counter.PONGS_SKIPPED,
    'Pings of clients that do not read, answered by a later Pong.',
  ),
  counter('shardws_received_bytes_total', Counter.BYTES_IN, 'Bytes of frames and handshakes received.'),
  counter(
    'shardws_sent_bytes_total',
    Counter.BYTES_OUT,
    'Bytes of frames and handshakes accepted for sending.',
  ),
  gauge(
    'shardws_send_queue_bytes',
    c => c[Counter.SEND_QUEUE],
    'Bytes that wait for clients that do not read.',
  ),
  gauge(
    'shardws_pinned_bytes',
    c => c[Counter.PINNED] + c[Counter.SEND_QUEUE],
    'Bytes that clients make the shard hold, the send queue among them.',
  ),
  counter(
    'shardws_memory_refusals_total',
    Counter.MEMORY_REFUSED,
    'Times that somebody was not given memory since all shards held the limit.',
  ),
  counter(
    'shardws_rate_limited_total',
    Counter.RATE_LIMITED,
    'Times that a client sent more than it may in a second.',
  ),
  gauge(
    'shardws_event_loop_delay_mean_seconds',
    c => c[Counter.LOOP_DELAY_MS] / 1000,
    'What the event loop of the shard was late by, mean of the last second.',
    most,
  ),
  gauge(
    'shardws_event_loop_delay_max_seconds',
    c => c[Counter.LOOP_DELAY_MAX_MS] / 1000,
    'What the event loop of the shard was late by, most of the last second.',
    most,
  ),
  gauge('shardws_heap_used_bytes', c => c[Counter.HEAP_USED], "Bytes in use of the shard's heap."),
  gauge('shardws_heap_size_bytes', c => c[Counter.HEAP_SIZE], "Bytes reserved for the shard's heap."),
  gauge('shardws_heap_limit_bytes', c => c[Counter.HEAP_LIMIT], "Bytes that the shard's heap may come to."),
]

/**
 * All metrics of a server in the text format of Prometheus. Any thread may ask: nobody is waited for.
 */
export function renderMetrics({ primary, workers, shards }: Board): string {
  const text = new Exposition()
  text
    .begin('shardws_ready', 'gauge', 'Whether the server takes connections.')
    .sample(primary[PrimaryCounter.PHASE] === Phase.SERVING && anyReady(shards) ? 1 : 0)
    .begin(
      'shardws_connections_accepted_total',
      'counter',
      'TCP connections accepted, the refused ones included.',
    )
    .sample(primary[PrimaryCounter.ACCEPTED])
    .begin(
      'shardws_accept_errors_total',
      'counter',
      'TCP connections that the system could not give to the process.',
    )
    .sample(primary[PrimaryCounter.ACCEPT_ERRORS])
    .begin(
      'shardws_connections_refused_total',
      'counter',
      'TCP connections closed as soon as they were accepted.',
    )
  for (const [index, denial] of DENIALS.entries()) {
    text.sample(primary[PrimaryCounter.DENIED + index], { reason: snakeCase(denial) })
  }
  text
    .begin('shardws_pinned_limit_bytes', 'gauge', 'Bytes that clients may make all shards hold.')
    .sample(primary[PrimaryCounter.MEMORY_LIMIT])
    .begin('shardws_reloads_total', 'counter', 'Reloads, by whether the new shards started.')
    .sample(primary[PrimaryCounter.RELOADS], { result: 'done' })
    .sample(primary[PrimaryCounter.RELOADS_FAILED], { result: 'failed' })
  const draining = shards.filter(counters => counters[Counter.READY] === 2)
  text
    .begin('shardws_draining_shards', 'gauge', 'Shards that take no more connections and have not ended.')
    .sample(draining.length)
    .begin('shardws_draining_sockets', 'gauge', 'TCP connections that they hold.')
    .sample(add(draining.map(present(Counter.ADOPTED, Counter.ENDED))))
  for (const { name, type, help, value, combine } of SHARD_FAMILIES) {
    text.begin(name, type, help)
    for (let shard = 0; shard < workers; shard++) {
      const generations = shards.filter((_, place) => place % workers === shard)
      text.sample(combine(generations.map(value)), { shard })
    }
  }
  text.begin('shardws_handshakes_refused_total', 'counter', 'Opening requests refused.')
  for (const [index, reason] of REFUSAL_REASONS.entries()) {
    text.sample(sum(shards, Counter.REFUSALS + index), { reason })
  }
  text.begin('shardws_connections_closed_total', 'counter', 'WebSocket connections closed.')
  for (const [index, code] of CLOSE_CODES.entries()) {
    text.sample(sum(shards, Counter.CLOSES + index), { code })
  }
  text.begin('shardws_limits_reached_total', 'counter', 'Connections that ended since they reached a limit.')
  for (const [index, limit] of LIMITS.entries()) {
    text.sample(sum(shards, Counter.LIMITS + index), { limit })
  }
  histogram(
    text.begin('shardws_ping_round_trip_seconds', 'histogram', 'From a Ping to an idle client to its Pong.'),
    shards,
    Histogram.PING,
  )
  histogram(
    text.begin(
      'shardws_handoff_seconds',
      'histogram',
      'From accepting a connection to its coming to the shard.',
    ),
    shards,
    Histogram.HANDOFF,
  )
  const { user, system } = process.cpuUsage()
  return text
    .begin('process_cpu_seconds_total', 'counter', 'User and system CPU time spent, of all threads.')
    .sample((user + system) / 1e6)
    .begin('process_resident_memory_bytes', 'gauge', 'Resident memory size.')
    .sample(process.memoryUsage.rss())
    .begin('process_start_time_seconds', 'gauge', 'When the server was started, since the Unix epoch.')
    .sample(primary[PrimaryCounter.STARTED_AT])
    .toString()
}

/** Whether a shard takes connections. */
export function anyReady(shards: Board['shards']): boolean {
  return shards.some(isReady)
}

function isReady(counters: Counters): boolean {
  return counters[Counter.READY] === 1
}

function sum(shards: Board['shards'], index: number): number {
  return add(shards.map(counters => counters[index]))
}

function histogram(text: Exposition, shards: Board['shards'], { first, bounds }: HistogramCells): void {
  const counts = Array.from({ length: bounds.length + 1 }, (_, bucket) => sum(shards, first + bucket))
  text.histogram(bounds, counts, sum(shards, first + bounds.length + 1))
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
