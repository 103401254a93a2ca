import { afterEach, describe, expect, it, test, vi } from 'vitest'
import {
  createLog,
  createLoggerSink,
  createOccasionalWarning,
  createSink,
  type LogRecord,
  MAX_RECORDS_PER_SECOND,
  toJson,
  toText,
} from '../../src/log.js'

afterEach(() => vi.restoreAllMocks())

describe('a log', () => {
  const levels = ['error', 'warn', 'info', 'debug'] as const

  it.each([
    ['silent', []],
    ['error', ['error']],
    ['warn', ['error', 'warn']],
    ['info', ['error', 'warn', 'info']],
    ['debug', ['error', 'warn', 'info', 'debug']],
  ] as const)('at level %s takes %o', (level, taken) => {
    const records: LogRecord[] = []
    const log = createLog(level, { shard: 3 }, record => records.push(record))
    for (const lineLevel of levels) log(lineLevel, 'text', undefined, { event: 'x' })
    expect(records.map(record => record.level)).toEqual(taken)
    for (const { facts } of records) expect(facts).toEqual({ shard: 3, event: 'x' })
  })

  it('takes so many records in a second, and says how many were left out', () => {
    let nowMs = 5000
    const records: LogRecord[] = []
    const log = createLog(
      'info',
      {},
      record => records.push(record),
      () => nowMs,
    )
    for (let i = 0; i < MAX_RECORDS_PER_SECOND + 7; i++) log('info', `line ${i}`)
    expect(records).toHaveLength(MAX_RECORDS_PER_SECOND)
    nowMs = 6000
    log('info', 'the next second')
    expect(
      records.slice(MAX_RECORDS_PER_SECOND).map(({ level, text, facts }) => [level, text, facts.lost]),
    ).toEqual([
      ['warn', '7 lines are left out: more than 1000 in a second', 7],
      ['info', 'the next second', undefined],
    ])
    nowMs = 7000
    log('info', 'and one more')
    expect(records.at(-1)?.text).toBe('and one more')
    expect(records).toHaveLength(MAX_RECORDS_PER_SECOND + 3)
  })
})

describe('a record', () => {
  const error = Object.assign(new RangeError('no'), { code: 'ERR_NO', cause: new Error('why') })

  it('as text says who, and has the stack', () => {
    expect(toText({ level: 'warn', text: 'so', facts: { shard: 1 } })).toBe('shard 1 warn: so')
    expect(toText({ level: 'error', text: 'so', facts: {}, error })).toMatch(
      /^shardws error: so: RangeError: no\n {4}at /,
    )
    expect(toText({ level: 'error', text: 'so', facts: {}, error: 'thrown' })).toBe(
      "shardws error: so: 'thrown'",
    )
  })

  it('as text is one line, whatever a client wrote', () => {
    const text = toText({ level: 'debug', text: 'a\nshardws error: b\r\u001b[31m\u009b', facts: {} })
    expect(text).toBe('shardws debug: a\\x0ashardws error: b\\x0d\\x1b[31m\\x9b')
  })

  it('as JSON is one line', () => {
    const line = toJson(
      { level: 'error', text: 'so\n', facts: { event: 'e', shard: 1, code: undefined }, error },
      5,
    )
    expect(line).not.toContain('\n')
    expect(JSON.parse(line)).toEqual({
      level: 'error',
      time: 5,
      event: 'e',
      shard: 1,
      msg: 'so\n',
      err: {
        type: 'RangeError',
        message: 'no',
        code: 'ERR_NO',
        stack: error.stack,
        cause: expect.stringMatching(/^Error: why\n/),
      },
    })
    const loop: Record<string, unknown> = {}
    loop.self = loop
    expect(JSON.parse(toJson({ level: 'error', text: '', facts: {}, error: loop }))).toMatchObject({
      err: { type: 'object', message: expect.stringContaining('Circular') },
    })
  })
})

describe('a sink', () => {
  it('of stderr ends its lines', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    createSink('text')({ level: 'info', text: 'so', facts: {} })
    createSink('json')({ level: 'info', text: 'so', facts: {} })
    expect(write.mock.calls[0][0]).toBe('shardws info: so\n')
    expect(write.mock.calls[1][0]).toMatch(/^\{"level":"info","time":\d+,"msg":"so"\}\n$/)
  })

  it('of a logger calls its method, as a method, and survives it', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const calls: unknown[][] = []
    const logger = {
      debug() {},
      info(...args: unknown[]) {
        calls.push([this === logger, ...args])
      },
      warn() {
        throw new Error('the disk is full')
      },
      error() {},
    }
    const sink = createLoggerSink(logger)
    const error = new Error('no')
    sink({ level: 'info', text: 'so', facts: { event: 'e' } })
    sink({ level: 'info', text: 'so', facts: { event: 'e' }, error })
    expect(calls).toEqual([
      [true, { event: 'e' }, 'so'],
      [true, { event: 'e', err: error }, 'so'],
    ])
    for (let i = 0; i < 3; i++) sink({ level: 'warn', text: 'so', facts: {} })
    expect(write).toHaveBeenCalledTimes(1)
    expect(write.mock.calls[0][0]).toContain('the disk is full')
  })
})

test('an occasional warning comes once a second, and says how often there was cause', () => {
  let nowMs = 5000
  const seen: unknown[] = []
  const warn = createOccasionalWarning(
    (text, facts) => seen.push([text, facts.times]),
    () => nowMs,
  )
  for (const [waitMs, text] of [
    [0, 'a'],
    [1, 'b'],
    [998, 'c'],
    [1, 'd'],
    [5000, 'e'],
  ] as const) {
    nowMs += waitMs
    warn(text, { event: 'x' })
  }
  expect(seen).toEqual([
    ['a', 1],
    ['d', 3],
    ['e', 1],
  ])
})
