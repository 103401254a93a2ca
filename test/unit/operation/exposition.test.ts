import { expect, test } from 'vitest'
import { Exposition } from '../../../src/operation/exposition.js'

test('a family is its help, its type and its samples', () => {
  const text = new Exposition()
    .begin('messages_total', 'counter', 'Messages.')
    .sample(5, { shard: 0 })
    .sample(1e21, { shard: 1 })
    .begin('delay_seconds', 'gauge', 'Delay.')
    .sample(0.25)
  expect(String(text)).toBe(
    [
      '# HELP messages_total Messages.',
      '# TYPE messages_total counter',
      'messages_total{shard="0"} 5',
      'messages_total{shard="1"} 1e+21',
      '# HELP delay_seconds Delay.',
      '# TYPE delay_seconds gauge',
      'delay_seconds 0.25',
      '',
    ].join('\n'),
  )
})

test('texts are escaped: backslashes and line breaks everywhere, quotes in labels', () => {
  const text = new Exposition()
    .begin('a', 'gauge', 'One "line"\nand a \\.')
    .sample(1, { path: 'C:\\"x"\n', more: 'plain' })
  expect(String(text).split('\n').slice(0, 3)).toEqual([
    '# HELP a One "line"\\nand a \\\\.',
    '# TYPE a gauge',
    'a{path="C:\\\\\\"x\\"\\n",more="plain"} 1',
  ])
})

test('the buckets of a histogram hold all that is up to their bound, and the last is the count', () => {
  const text = new Exposition().begin('t_seconds', 'histogram', 'Times.').histogram([0.1, 1], [3, 0, 2], 7.5)
  expect(String(text).split('\n').slice(2)).toEqual([
    't_seconds_bucket{le="0.1"} 3',
    't_seconds_bucket{le="1"} 3',
    't_seconds_bucket{le="+Inf"} 5',
    't_seconds_sum 7.5',
    't_seconds_count 5',
    '',
  ])
})

test('numbers that are none have names', () => {
  const text = new Exposition().begin('n', 'gauge', 'N.')
  for (const value of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) text.sample(value)
  expect(String(text).split('\n').slice(2, 5)).toEqual(['n +Inf', 'n -Inf', 'n NaN'])
})
