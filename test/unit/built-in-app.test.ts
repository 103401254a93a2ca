import { describe, expect, it } from 'vitest'
import { builtInApp } from '../../src/built-in-app.js'
import { text } from '../support/frames.js'
import { framesOf, MemoryShard, turnEnd } from '../support/memory-shard.js'
import { binary } from '../support/peer-frames.js'

describe('the built-in application', () => {
  it('answers PING with PONG, and everything else in kind', async () => {
    const lines: string[] = []
    const shard = new MemoryShard(builtInApp((level, line) => lines.push(`${level} ${line}`)))
    const { transport } = shard.connect()
    const long = 'x'.repeat(300)
    for (const frame of [text('PING'), text('ping'), binary('PING'), text(''), binary('é'), text(long)]) {
      transport.feed(frame)
    }
    await turnEnd()
    expect(framesOf(transport)).toEqual([
      'text PONG',
      'text ping',
      'binary PING',
      'text',
      'binary é',
      `text ${long}`,
    ])
    expect(lines[0]).toBe('debug connection 1 opened: / from 192.0.2.1')
    expect(lines[1]).toBe("debug connection 1 received text 'PING'")
    expect(lines[3]).toBe('debug connection 1 received binary 50494e47')
    expect(lines[6].length).toBeLessThan(300)
  })
})
