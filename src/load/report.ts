import type { LoadResult } from './load.js'
import type { LoadOptions } from './load-options.js'
import { table } from './table.js'

const PERCENTILES = [50, 75, 90, 97.5, 99, 99.9, 99.99] as const

/** Messages that were under way at the end are mentioned when they waited longer than any other, and than this. */
const NOTABLE_US = 1e6

/** Whether all went as it should: something came back, and everything as it was sent. */
export function isFlawless({ messages, mismatches, errors }: LoadResult): boolean {
  return messages > 0 && mismatches === 0 && errors.size === 0
}

/** A result as plain data: microseconds, messages and bytes. */
export function reportJson(options: LoadOptions, result: LoadResult): Record<string, unknown> {
  const { latencies, messages, bytes, seconds } = result
  return {
    url: options.url.href,
    connections: options.connections,
    pipelining: options.pipelining,
    size: options.size,
    kind: options.text ? 'text' : 'binary',
    rate: options.rate === 0 ? null : options.rate,
    processes: options.processes,
    seconds: round(seconds, 3),
    messages,
    messagesPerSecond: round(messages / seconds, 1),
    bytesPerSecond: round(bytes / seconds, 1),
    perSecond: result.perSecond,
    latencyUs: {
      min: round(latencies.min, 1),
      mean: round(latencies.mean, 1),
      deviation: round(latencies.deviation, 1),
      ...Object.fromEntries(PERCENTILES.map(share => [`p${share}`, round(latencies.percentile(share), 1)])),
      max: round(latencies.max, 1),
    },
    unanswered: result.unanswered,
    oldestUnansweredUs: round(result.oldestUnansweredUs, 1),
    connected: result.connected,
    mismatches: result.mismatches,
    errors: Object.fromEntries(result.errors),
  }
}

/** A result for people. */
export function reportText(options: LoadOptions, result: LoadResult): string {
  const { latencies, messages, bytes, seconds, perSecond } = result
  const shares = PERCENTILES.map(share => latencies.percentile(share))
  const lines = [
    table([
      ['Latency (us)', ...PERCENTILES.map(share => `${share}%`), 'mean', 'stdev', 'max'],
      ['round trip', ...[...shares, latencies.mean, latencies.deviation, latencies.max].map(whole)],
    ]),
    table([
      ['Per second', 'min', 'mean', 'max'],
      ['messages', ...spread(perSecond, messages / seconds).map(whole)],
      ['MB in', '', (bytes / seconds / 1e6).toFixed(2), ''],
    ]),
    `${whole(messages)} messages in ${seconds.toFixed(2)} s, ${result.connected} of ${options.connections} connections open at the end`,
  ]
  if (options.rate > 0) {
    lines.push(
      `latency counts from the time each message was due, at ${whole(options.rate)} messages per second`,
    )
  }
  if (result.oldestUnansweredUs > Math.max(latencies.max, NOTABLE_US)) {
    const ms = whole(result.oldestUnansweredUs / 1000)
    lines.push(`${whole(result.unanswered)} messages had NO ANSWER at the end, the oldest for ${ms} ms`)
  }
  if (result.mismatches > 0) lines.push(`${whole(result.mismatches)} messages came back CHANGED or unasked`)
  for (const [reason, count] of result.errors) lines.push(`${whole(count)} x ${reason}`)
  if (messages === 0) lines.push('NOTHING came back')
  if (isFlawless(result)) lines.push('no errors, no mismatches')
  return lines.join('\n')
}

function spread(perSecond: readonly number[], mean: number): number[] {
  return perSecond.length === 0 ? [mean, mean, mean] : [Math.min(...perSecond), mean, Math.max(...perSecond)]
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
