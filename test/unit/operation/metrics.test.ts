import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { HANDSHAKE_CODES, REFUSAL_REASONS, refusalIndex } from '../../../src/handshake/refusals.js'
import {
  type Board,
  CLOSE_CODES,
  Counter,
  closeCounter,
  createPrimaryCounters,
  Histogram,
  Ledger,
  MAX_REFUSALS,
  observe,
  Phase,
  PrimaryCounter,
} from '../../../src/ledger.js'
import { renderMetrics } from '../../../src/operation/metrics.js'
import { counterparts, promtool } from '../../counterparts.js'
import { needs } from '../../needs.js'
import { parseMetrics, total } from '../../support/metrics.js'

function board(shards = 2): Board {
  return {
    primary: createPrimaryCounters(),
    workers: shards,
    shards: Array.from({ length: shards }, () => new Ledger().counters),
  }
}

describe('the cells of a ledger', () => {
  it('do not overlap', () => {
    const { PING, HANDOFF } = Histogram
    const singles = Object.entries(Counter).filter(([name]) => name !== 'CLOSES' && name !== 'REFUSALS')
    const spans: [name: string, first: number, length: number][] = [
      ...singles.map(([name, index]): [string, number, number] => [name, index, 1]),
      ['CLOSES', Counter.CLOSES, CLOSE_CODES.length],
      ['REFUSALS', Counter.REFUSALS, MAX_REFUSALS],
      ['PING', PING.first, PING.bounds.length + 2],
      ['HANDOFF', HANDOFF.first, HANDOFF.bounds.length + 2],
    ]
    const users: string[] = []
    for (const [name, first, length] of spans) {
      for (let cell = first; cell < first + length; cell++) {
        expect(users[cell], `${name} and ${users[cell]} at ${cell}`).toBeUndefined()
        users[cell] = name
      }
    }
    expect(users.length).toBeLessThanOrEqual(new Ledger().counters.length)
    expect(REFUSAL_REASONS.length).toBeLessThanOrEqual(MAX_REFUSALS)
  })

  it.each([
    [1000, '1000'],
    [1006, '1006'],
    [1015, '1015'],
    [3000, '3xxx'],
    [3999, '3xxx'],
    [4000, '4xxx'],
    [4999, '4xxx'],
  ])('count a close with %i as %s', (code, name) => {
    expect(CLOSE_CODES[closeCounter(code) - Counter.CLOSES]).toBe(name)
  })

  it('have one for each reason to refuse a request', () => {
    expect(HANDSHAKE_CODES.map(code => REFUSAL_REASONS[refusalIndex(code)])).toEqual(
      HANDSHAKE_CODES.map(code => code.slice('ERR_HANDSHAKE_'.length).toLowerCase()),
    )
    expect(REFUSAL_REASONS[refusalIndex(undefined)]).toBe('application')
  })
})

describe('the metrics', () => {
  it('are what the counters say', () => {
    const seen = board()
    const [first, second] = seen.shards as [Float64Array, Float64Array]
    seen.primary[PrimaryCounter.ACCEPTED] = 12
    seen.primary[PrimaryCounter.DENIED + 1] = 2
    first[Counter.ADOPTED] = 9
    first[Counter.ENDED] = 4
    first[Counter.MESSAGES_IN] = 1e15
    second[Counter.MESSAGES_IN] = 7
    first[closeCounter(1000)] = 3
    second[closeCounter(1000)] = 1
    second[Counter.REFUSALS + refusalIndex('ERR_HANDSHAKE_ORIGIN')] = 5
    second[Counter.LOOP_DELAY_MS] = 12
    const samples = parseMetrics(renderMetrics(seen))
    const expected = {
      shardws_connections_accepted_total: 12,
      'shardws_connections_refused_total{reason="max_connections_per_ip"}': 2,
      'shardws_sockets{shard="0"}': 5,
      'shardws_messages_received_total{shard="0"}': 1e15,
      'shardws_messages_received_total{shard="1"}': 7,
      'shardws_connections_closed_total{code="1000"}': 4,
      'shardws_handshakes_refused_total{reason="origin"}': 5,
      'shardws_event_loop_delay_mean_seconds{shard="1"}': 0.012,
    }
    expect(Object.fromEntries(Object.keys(expected).map(key => [key, samples.get(key)]))).toEqual(expected)
  })

  it('have histograms of all shards, a bound in its bucket', () => {
    const seen = board()
    const [first, second] = seen.shards as [Float64Array, Float64Array]
    observe(first, Histogram.PING, 0.001)
    observe(first, Histogram.PING, 0.0011, 2)
    observe(second, Histogram.PING, 100)
    const samples = parseMetrics(renderMetrics(seen))
    const bucket = (le: string) => samples.get(`shardws_ping_round_trip_seconds_bucket{le="${le}"}`)
    expect(['0.001', '0.0025', '10', '+Inf'].map(bucket)).toEqual([1, 3, 3, 4])
    expect(samples.get('shardws_ping_round_trip_seconds_count')).toBe(4)
    expect(samples.get('shardws_ping_round_trip_seconds_sum')).toBeCloseTo(100.0032, 9)
    expect(samples.get('shardws_handoff_seconds_count')).toBe(0)
  })

  it('are those of an index, whichever generation counted it', () => {
    const seen: Board = { primary: createPrimaryCounters(), workers: 2, shards: board(6).shards }
    const [, first, , retired, , current] = seen.shards
    first[Counter.READY] = 2
    current[Counter.READY] = 1
    for (const [index, counters] of [first, retired, current].entries()) {
      counters[Counter.MESSAGES_IN] = 10 ** index
      counters[Counter.HEAP_USED] = 1000
      counters[Counter.LOOP_DELAY_MS] = 5 * index
    }
    first[Counter.ADOPTED] = 7
    first[Counter.ENDED] = 3
    current[Counter.ADOPTED] = 2
    seen.primary[PrimaryCounter.RELOADS] = 4
    const samples = parseMetrics(renderMetrics(seen))
    const expected = {
      'shardws_reloads_total{result="done"}': 4,
      'shardws_reloads_total{result="failed"}': 0,
      shardws_draining_shards: 1,
      shardws_draining_sockets: 4,
      'shardws_shard_ready{shard="0"}': 0,
      'shardws_shard_ready{shard="1"}': 1,
      'shardws_sockets{shard="1"}': 6,
      'shardws_messages_received_total{shard="0"}': 0,
      'shardws_messages_received_total{shard="1"}': 111,
      'shardws_heap_used_bytes{shard="1"}': 3000,
      'shardws_event_loop_delay_mean_seconds{shard="1"}': 0.01,
      'shardws_sockets{shard="2"}': undefined,
    }
    expect(Object.fromEntries(Object.keys(expected).map(key => [key, samples.get(key)]))).toEqual(expected)
  })

  it('say that the server is ready while it serves and a shard is', () => {
    const seen = board()
    const ready = () => total(parseMetrics(renderMetrics(seen)), 'shardws_ready')
    expect(ready()).toBe(0)
    seen.primary[PrimaryCounter.PHASE] = Phase.SERVING
    expect(ready()).toBe(0)
    seen.shards[1][Counter.READY] = 1
    expect(ready()).toBe(1)
    seen.primary[PrimaryCounter.PHASE] = Phase.STOPPING
    expect(ready()).toBe(0)
  })

  it('please promtool', needs(promtool(), counterparts.promtool.reason), () => {
    const { status, stdout, stderr } = spawnSync(promtool() as string, ['check', 'metrics'], {
      input: renderMetrics(board()),
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  })
})
