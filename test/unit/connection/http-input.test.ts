import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Arrears } from '../../../src/connection/arrears.js'
import { HttpInput } from '../../../src/connection/http-input.js'
import { MemoryBudget } from '../../../src/connection/memory-budget.js'
import { Counter, Ledger } from '../../../src/ledger.js'
import { Random } from '../../support/random.js'
import { until } from '../../support/until.js'

/** What Node's sockets do: what arrives is pushed, and reading stops where `push` says so, up to `_read`. */
class Source extends Duplex {
  isReading = false
  /** Everything that was written to it. */
  written = ''

  constructor() {
    super({ allowHalfOpen: true })
  }

  /** @returns whether there is to be more */
  feed(chunk: string | Buffer | null): boolean {
    this.isReading = this.push(chunk === null ? null : Buffer.from(chunk as string))
    if (chunk === null) this.read(0)
    return this.isReading
  }

  override _read(): void {
    this.isReading = true
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += chunk.toString('latin1')
    done()
  }
}

function setUp(first?: Buffer) {
  const { counters } = new Ledger()
  const source = new Source()
  if (first !== undefined) source.unshift(first)
  const arrears = new Arrears()
  const input = new HttpInput(source, arrears, new MemoryBudget(counters, [counters], 2 ** 30, () => {}))
  return { source, input, arrears, held: () => counters[Counter.PINNED] }
}

function collect(source: Source): { chunks: Buffer[]; text: () => string; isEnded: boolean } {
  const chunks: Buffer[] = []
  const seen = { chunks, text: () => Buffer.concat(chunks).toString('latin1'), isEnded: false }
  source.on('data', (chunk: Buffer) => chunks.push(chunk))
  source.on('end', () => {
    seen.isEnded = true
  })
  return seen
}

describe('what HTTP reads of a connection', () => {
  it('comes in pieces, with others between where they take their time', async () => {
    const bytes = randomBytes(300_000)
    const { source, arrears, held } = setUp(bytes.subarray(0, 1000))
    const seen = collect(source)
    source.feed(bytes.subarray(1000))
    expect(seen.chunks).toEqual([])
    expect(held()).toBe(300_000)
    let turns = 0
    const neighbour = {
      workOff() {
        turns++
        if (seen.chunks.length < 147) arrears.add(this)
      },
    }
    arrears.add(neighbour)
    source.on('data', () => {
      const end = performance.now() + 1.5
      while (performance.now() < end) {
        // As requests that take their time.
      }
    })
    await until('all of it', () => Buffer.concat(seen.chunks).length === 300_000)
    expect(Buffer.concat(seen.chunks).equals(bytes)).toBe(true)
    expect(Math.max(...seen.chunks.map(({ length }) => length))).toBe(2048)
    expect(turns).toBeGreaterThan(60)
    expect(held()).toBe(0)
  })

  it('of a body, which takes no time, is more than a piece in a turn', async () => {
    const { source } = setUp()
    const seen = collect(source)
    source.feed('x'.repeat(10_000))
    await turn()
    expect(seen.text().length).toBe(10_000)
  })

  it('stops when it is not taken, at a bound, and goes on without losing or changing anything', async () => {
    const { source, held } = setUp()
    const seen = collect(source)
    source.feed('a')
    await until('a', () => seen.text() === 'a')
    source.pause()
    for (let i = 0; i < 3; i++) await turn()
    let sent = 'a'
    for (let i = 0; source.isReading; i++) {
      const chunk = `${i};`.repeat(200)
      sent += chunk
      source.feed(chunk)
      expect(sent.length).toBeLessThan(70_000)
      if (i % 10 === 0) await turn()
    }
    expect(sent.length).toBeGreaterThan(65_536)
    expect(held()).toBe(sent.length - 1)
    await turn()
    expect(source.isReading).toBe(false)
    expect(seen.text()).toBe('a')
    source.resume()
    // It has enough to do: nothing is read before.
    expect(source.isReading).toBe(false)
    await until('the rest', () => seen.text().length === sent.length)
    expect(seen.text()).toBe(sent)
    await until('it to be read from again', () => source.isReading)
  })

  it('is followed by FIN, and not overtaken', async () => {
    for (const pauses of [false, true]) {
      const { source } = setUp(Buffer.from('first;'))
      const seen = collect(source)
      if (pauses) source.pause()
      source.feed('x'.repeat(200_000))
      source.feed(null)
      for (let i = 0; i < 3; i++) await turn()
      expect(source.isReading).toBe(false)
      if (pauses) {
        expect([seen.text(), seen.isEnded]).toEqual(['', false])
        source.resume()
      }
      await until('the end', () => seen.isEnded)
      expect(seen.text()).toBe(`first;${'x'.repeat(200_000)}`)
    }
  })

  it('is followed by FIN where the last of it is not taken at once', async () => {
    const { source } = setUp()
    const seen = collect(source)
    source.on('data', () => {
      source.pause()
      setImmediate(() => source.resume())
    })
    source.feed('x'.repeat(5000))
    source.feed(null)
    await until('the end', () => seen.isEnded)
    expect(seen.text().length).toBe(5000)
  })

  it('is FIN alone, too', async () => {
    const { source } = setUp()
    const seen = collect(source)
    expect(source.feed(null)).toBe(false)
    await until('the end', () => seen.isEnded)
    expect(seen.chunks).toEqual([])
  })

  it('waits while requests enough wait for their answers', async () => {
    const { source, input } = setUp()
    const seen = collect(source)
    source.on('data', () => input.withhold())
    source.feed('x'.repeat(5000))
    source.feed(null)
    for (const length of [2048, 4096, 5000]) {
      await until('a piece', () => seen.text().length === length)
      for (let i = 0; i < 3; i++) await turn()
      expect([seen.text().length, seen.isEnded, input.isWithheld]).toEqual([length, false, true])
      input.release()
    }
    await until('the end', () => seen.isEnded)
  })

  it('is more at a time where it is all of a body, and not a byte behind it', async () => {
    const { source, input } = setUp(Buffer.alloc(250_000))
    const seen = collect(source)
    let announced = false
    source.on('data', () => {
      // A head that ends at the end of the first piece, say, or at its beginning.
      if (!announced) input.expectBody(200_000)
      announced = true
    })
    await until('all of it', () => seen.text().length === 250_000)
    const lengths = seen.chunks.map(({ length }) => length)
    expect(lengths.slice(0, 5)).toEqual([2048, 65_536, 65_536, 65_536, 2048])
    expect(lengths.slice(4).every(length => length <= 2048)).toBe(true)
  })

  it('is refused where there is no memory for it', async () => {
    const { counters } = new Ledger()
    const source = new Source()
    const log: string[] = []
    const memory = new MemoryBudget(counters, [counters], 10_000, (_, line) => log.push(line))
    const input = new HttpInput(source, new Arrears(), memory)
    source.pause()
    expect(input.isWithheld).toBe(false)
    source.feed('x'.repeat(9000))
    expect(source.destroyed).toBe(false)
    source.feed('x'.repeat(2000))
    expect([source.destroyed, counters[Counter.MEMORY_REFUSED], log.length]).toEqual([true, 1, 1])
    await once(source, 'close')
    expect(counters[Counter.PINNED]).toBe(0)
  })

  it('is forgotten when the stream is destroyed', async () => {
    const { source, held } = setUp(Buffer.from('first;'))
    const seen = collect(source)
    source.feed('x'.repeat(20_000))
    source.destroy()
    await once(source, 'close')
    for (let i = 0; i < 3; i++) await turn()
    expect(seen.chunks).toEqual([])
    expect(held()).toBe(0)
  })

  it('ends with what nobody has read; the stream is as it was', async () => {
    const { source, input, held } = setUp(Buffer.from('first;'))
    source.feed('second;')
    await turn()
    source.feed('third;')
    expect(String(input.end())).toBe('first;second;third;')
    expect(held()).toBe(0)
    source.feed('fourth;')
    expect(String(source.read())).toBe('fourth;')
    expect(Object.keys(source)).not.toContain('push')
  })

  it('ends with FIN behind it, if that was read', async () => {
    const { source, input } = setUp()
    source.feed('first;')
    source.feed(null)
    const seen = collect(source)
    expect(String(input.end())).toBe('first;')
    await until('the end', () => seen.isEnded)
    expect(seen.text()).toBe('')
  })

  const random = new Random()
  it(`is the same in whatever pieces it comes, and whoever pauses (seed ${random.seed})`, async () => {
    for (let round = 0; round < 30; round++) {
      const { source, held } = setUp()
      const seen = collect(source)
      let sent = ''
      source.on('data', () => {
        if (random.next() < 0.2) {
          source.pause()
          setImmediate(() => source.resume())
        }
      })
      for (let i = 0; i < 40; i++) {
        const chunk = String.fromCharCode(97 + (i % 26)).repeat(1 + Math.floor(random.next() ** 4 * 100_000))
        sent += chunk
        source.feed(chunk)
        if (!source.isReading) await until('it to be read from', () => source.isReading)
        if (random.next() < 0.3) await turn()
      }
      source.feed(null)
      await until('the end', () => seen.isEnded)
      expect(seen.text() === sent).toBe(true)
      expect(held()).toBe(0)
    }
  })

  it('is what the server of node:http answers, in order', async () => {
    const server = createServer((request, response) => response.end(request.url))
    const requests = 1000
    const { source, input } = setUp(
      Buffer.from(
        Array.from({ length: requests }, (_, i) => `GET /${i};  HTTP/1.1\r\nHost: x\r\n\r\n`).join(''),
      ),
    )
    server.emit('connection', source)
    input.begin()
    await until('all answers', () => source.written.includes(`/${requests - 1};`))
    expect([...source.written.matchAll(/\/(\d+);/g)].map(([, number]) => Number(number))).toEqual(
      Array.from({ length: requests }, (_, i) => i),
    )
    source.destroy()
  })
})
