import { describe, expect, it } from 'vitest'
import { Latencies } from '../../../src/load/latencies.js'
import type { LoadResult } from '../../../src/load/load.js'
import { resolveLoadOptions } from '../../../src/load/load-options.js'
import { isFlawless, reportJson, reportText } from '../../../src/load/report.js'

const options = resolveLoadOptions('ws://localhost:9000', { duration: 2, connections: 3 })

function result(changes: Partial<LoadResult> = {}): LoadResult {
  const latencies = new Latencies()
  for (let us = 1; us <= 1000; us++) latencies.record(us)
  return {
    seconds: 2,
    messages: 1000,
    bytes: 22_000,
    latencies,
    perSecond: [400, 600],
    mismatches: 0,
    unanswered: 3,
    oldestUnansweredUs: 500,
    errors: new Map(),
    connected: 3,
    ...changes,
  }
}

describe('isFlawless', () => {
  it.each([
    [{}, true],
    [{ messages: 0 }, false],
    [{ mismatches: 1 }, false],
    [{ errors: new Map([['lost', 1]]) }, false],
  ])('%j: %s', (changes, expected) => {
    expect(isFlawless(result(changes))).toBe(expected)
  })
})

describe('reportText', () => {
  it('is tables of latency and throughput, and a verdict', () => {
    const text = reportText(options, result())
    expect(text).toMatch(/round trip {3}│ 502 │/)
    expect(text).toMatch(/messages {3}│ 400 │ {2}500 │ 600 │/)
    expect(text).toContain('1,000 messages in 2.00 s, 3 of 3 connections open at the end')
    expect(text).toContain('no errors, no mismatches')
    const [head = '', ...lines] = text.split('\n').slice(0, 5)
    for (const line of lines) expect(line.length).toBe(head.length)
  })

  it.each([
    [{ mismatches: 7 }, '7 messages came back CHANGED'],
    [{ errors: new Map([['connect ECONNREFUSED', 2]]) }, '2 x connect ECONNREFUSED'],
    [{ messages: 0 }, 'NOTHING came back'],
    [{ oldestUnansweredUs: 1.5e6 }, '3 messages had NO ANSWER at the end, the oldest for 1,500 ms'],
  ])('tells what went wrong: %j', (changes, line) => {
    const text = reportText(options, result(changes))
    expect(text).toContain(line)
  })
})

it('reportJson is plain data in microseconds', () => {
  const json = JSON.parse(JSON.stringify(reportJson(options, result({ errors: new Map([['lost', 1]]) }))))
  expect(json).toMatchObject({
    url: 'ws://localhost:9000/',
    connections: 3,
    kind: 'binary',
    rate: null,
    seconds: 2,
    messages: 1000,
    messagesPerSecond: 500,
    bytesPerSecond: 11_000,
    perSecond: [400, 600],
    latencyUs: { min: 1, mean: 500.5, p50: expect.any(Number), 'p99.9': expect.any(Number), max: 1000 },
    unanswered: 3,
    mismatches: 0,
    errors: { lost: 1 },
  })
})
