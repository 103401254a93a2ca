// The result of an autocannon run over WebSocket, in autocannon's manner, with latencies in microseconds.
import { table } from '../../dist/load/table.js'

const whole = value => Math.round(value).toLocaleString('en-US')

/** @param {object} result what autocannon's promise is fulfilled with */
export function resultTable({ latency, requests, throughput, duration, connections, pipelining, ...result }) {
  const lines = [
    table([
      ['Latency (us)', '2.5%', '50%', '97.5%', '99%', '99.9%', 'mean', 'stdev', 'max'],
      [
        'round trip',
        ...[latency.p2_5, latency.p50, latency.p97_5, latency.p99, latency.p99_9].map(whole),
        ...[latency.mean, latency.stddev, latency.max].map(whole),
      ],
    ]),
    table([
      ['Per second', '1%', '2.5%', '50%', '97.5%', 'mean', 'min'],
      ['messages', ...perSecond(requests).map(whole)],
      ['MB in', ...perSecond(throughput).map(bytes => (bytes / 1e6).toFixed(2))],
    ]),
    `${whole(result['2xx'])} messages in ${duration} s, ${connections} connections, ${pipelining} in flight`,
  ]
  const { errors, timeouts, mismatches } = result
  if (errors > 0) lines.push(`${whole(errors)} connections failed (${whole(timeouts)} had no answer in time)`)
  if (mismatches > 0) lines.push(`${whole(mismatches)} messages came back CHANGED`)
  if (errors === 0 && mismatches === 0) lines.push('no errors, no mismatches')
  return lines.join('\n')
}

const perSecond = ({ p1, p2_5, p50, p97_5, mean, min }) => [p1, p2_5, p50, p97_5, mean, min]
