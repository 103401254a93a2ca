// README.md and docs/ say what the source says.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defineApp } from '../../src/app.js'
import { parseArguments } from '../../src/cli/arguments.js'
import { Codec } from '../../src/codec/codec.js'
import * as exported from '../../src/codec/index.js'
import { compileCodec } from '../../src/codec/module.js'
import { frameError, PeerError } from '../../src/errors.js'
import { REFUSAL_REASONS } from '../../src/handshake/refusals.js'
import {
  createPrimaryCounters,
  DENIALS,
  Ledger,
  LIMITS,
  MAX_CONNECTIONS_PER_SHARD,
} from '../../src/ledger.js'
import { MAX_RECORDS_PER_SECOND } from '../../src/log.js'
import { renderMetrics } from '../../src/operation/metrics.js'
import { OPTIONS, type OptionRule, resolveOptions, type ServeOptions } from '../../src/serve-options.js'
import {
  HELD_READ,
  HTTP_PER_CONNECTION,
  memoryBound,
  OBJECTS_PER_CONNECTION,
  SLACK_PER_SHARD,
  TLS_PER_CONNECTION,
  WINDOW_PER_CONNECTION,
  ZLIB_PER_SHARD,
} from '../support/memory-bound.js'

const readme = readFileSync('README.md', 'utf8')
const api = readFileSync('docs/api.md', 'utf8')

function section(text: string, heading: string): string {
  const start = text.indexOf(`\n## ${heading}\n`)
  const end = text.indexOf('\n## ', start + 1)
  return start < 0 ? '' : text.slice(start, end < 0 ? undefined : end)
}

/** The cells of a table's rows, by the first cell without its backticks. */
function rows(text: string): Map<string, string[]> {
  const lines = text.split('\n').filter(line => line.startsWith('| `'))
  return new Map(
    lines.map(line => {
      const [first, ...cells] = line
        .split('|')
        .map(cell => cell.trim())
        .slice(1, -1)
      return [first.replaceAll('`', ''), cells]
    }),
  )
}

/** The members of an interface, as they stand in the source. */
function members(file: string, name: string): string[] {
  const body = new RegExp(`interface ${name}\\b[^]*?\\n}`).exec(readFileSync(file, 'utf8'))?.[0] ?? ''
  return Array.from(body.matchAll(/^ {2}(?:readonly )?(\w+)[?]?[(:]/gm), ([, member]) => member)
}

describe('the options in the README', () => {
  const documented = rows(section(readme, 'Options, limits and defaults'))

  test('are those that there are, in the same order', () => {
    expect([...documented.keys()]).toEqual(Object.keys(OPTIONS))
  })

  test.each(Object.entries<OptionRule>(OPTIONS))('%s has its default and its range', (name, rule) => {
    const [value, range] = (documented.get(name) ?? []).map(cell => cell.replaceAll(/[`,]/g, ''))
    expect({ value, range }).toEqual(facts(name, rule))
  })

  /** Defaults that are no values. */
  const WORDS: Record<string, string> = {
    workers: 'cores (os.availableParallelism())',
    app: 'built-in',
    tls: 'none',
    resourceLimits: "Node's",
    maxMemory: 'a quarter of the memory',
    unix: 'none',
    unixMode: 'umask',
    fd: 'none',
    trustProxy: 'none',
    logger: 'none',
    metricsPath: 'none',
    adminPort: 'none',
    path: 'any',
    origins: 'any',
    protocols: 'none',
  }

  function facts(name: string, rule: OptionRule) {
    const value = WORDS[name] ?? String(rule.default)
    switch (rule.kind) {
      case 'integer':
        return { value, range: `${rule.min} to ${rule.max}` }
      case 'choice':
        return { value, range: rule.choices.join(' ') }
      case 'other':
        return { value, range: '' }
      // no default
    }
  }

  test('and the limit that has none', () => {
    expect(readme).toContain(`${MAX_CONNECTIONS_PER_SHARD.toLocaleString('en-US')} sockets per shard`)
  })
})

describe('the API', () => {
  test('has every handler', () => {
    let text = ''
    try {
      defineApp({ nothing: () => {} } as never)
    } catch (error) {
      text = (error as Error).message
    }
    const hooks = text.split('there are: ')[1].split(', ')
    const documented = [...rows(section(api, 'The application')).keys()].map(cell => cell.split('(')[0])
    expect(hooks.filter(hook => !documented.includes(hook))).toEqual([])
  })

  test.each([
    ['src/socket.ts', 'Socket', 'The socket'],
    ['src/app.ts', 'UpgradeRequest', 'The application'],
    ['src/app.ts', 'RequestFacts', 'The application'],
    ['src/app.ts', 'TlsFacts', 'The application'],
    ['src/tls-options.ts', 'TlsCertificate', 'TLS'],
    ['src/tls-options.ts', 'TlsOptions', 'TLS'],
    ['src/app.ts', 'Acceptance', 'The application'],
    ['src/app.ts', 'Refusal', 'The application'],
    ['src/primary/stats.ts', 'ServerStats', 'The server'],
    ['src/primary/stats.ts', 'RefusedStats', 'The server'],
    ['src/primary/server.ts', 'CloseOptions', 'The server'],
    ['src/primary/shard-slot.ts', 'ShardStats', 'The server'],
    ['src/primary/shard-slot.ts', 'Traffic', 'The server'],
  ])('%s: every member of %s', (file, name, heading) => {
    const names = members(file, name)
    expect(names).not.toEqual([])
    const text = section(api, heading)
    expect(names.filter(member => !new RegExp(`[\`{ ]${member}\\b`).test(text))).toEqual([])
  })
})

test('the README shows the inspector, in a picture that is no burden', () => {
  expect(readme).toContain('(docs/inspector.png)')
  const picture = readFileSync('docs/inspector.png')
  expect(picture.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n')
  // Its width, in pixels.
  expect(picture.readUInt32BE(16)).toBeGreaterThanOrEqual(1000)
  expect(picture.length).toBeLessThan(200_000)
})

describe('the codec', () => {
  const codec = readFileSync('docs/codec.md', 'utf8')

  test('has everything that is exported', () => {
    const names = Object.keys(exported)
    expect(names.length).toBeGreaterThan(10)
    expect(names.filter(name => !new RegExp(`[\`. ]${name}\\b`).test(codec))).toEqual([])
  })

  test.each([
    ['src/codec/decoding.ts', 'DecoderOptions', 'Decoding'],
    ['src/codec/decoding.ts', 'Decoder', 'Decoding'],
    ['src/codec/decoding.ts', 'Frame', 'Decoding'],
    ['src/codec/decoding.ts', 'Violation', 'Decoding'],
    ['src/codec/decoding.ts', 'CloseMessage', 'Decoding'],
    ['src/codec/decoding.ts', 'CompressedMessage', 'Decoding'],
    ['src/codec/frame-codec.ts', 'EncodeOptions', 'Encoding'],
    ['src/codec/frame-codec.ts', 'MessageOptions', 'Encoding'],
    ['src/codec/frame-codec.ts', 'FrameFields', 'Encoding'],
  ])('%s: every member of %s', (file, name, heading) => {
    const text = section(codec, heading)
    const names = members(file, name)
    expect(names).not.toEqual([])
    expect(names.filter(member => !new RegExp(`[\`{. ]${member}\\b`).test(text))).toEqual([])
  })

  test('has the methods of FrameCodec', () => {
    const names = Object.getOwnPropertyNames(exported.FrameCodec.prototype).filter(
      name => name !== 'constructor',
    )
    expect(names.filter(name => !codec.includes(`codec.${name}(`))).toEqual([])
  })

  test('is in the README in five lines', () => {
    const source = section(readme, 'The codec in a browser').split('```')[1]
    const script = /<script type="module">\n([\s\S]*?)\n<\/script>/.exec(source)?.[1] ?? ''
    // test/page/serving.test.ts runs it.
    expect(script.split('\n')).toHaveLength(5)
  })
})
const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))

describe('the error codes', () => {
  /** Not ours, not an error, or not told to anybody. The load generator has a help text of its own. */
  const OTHERS = /^ERR_(PARSE_ARGS|WORKER|HANDSHAKE|LOAD)_|^ERR_FRAME_NONE$|^ERR_OSSL_/

  const thrown = new Set(
    sources.flatMap(name =>
      Array.from(readFileSync(join('src', name), 'utf8').matchAll(/'(ERR_\w+)'/g), ([, code]) => code),
    ),
  )
  const documented = new Set(Array.from(api.matchAll(/`(ERR_\w+)`/g), ([, code]) => code))

  test('are all documented, and no others', () => {
    const wanted = [...thrown].filter(code => !OTHERS.test(code))
    expect([...documented].toSorted()).toEqual(wanted.toSorted())
  })

  test.each(Array.from({ length: 15 }, (_, index) => frameError(index + 1)))(
    '$code closes with $closeCode',
    error => {
      expect(error).toBeInstanceOf(PeerError)
      const faults = api.slice(api.indexOf("Of a client's faults"))
      expect(rows(faults).get(error.code)?.[0]).toBe(String(error.closeCode))
    },
  )
})

describe('the metrics in docs/operations.md', () => {
  const names = (text: string) =>
    [...new Set(text.match(/\b(?:shardws|process)_[a-z_]+(?=[`{ ])/g))].toSorted()

  test('are those that there are', () => {
    const rendered = renderMetrics({
      primary: createPrimaryCounters(),
      workers: 1,
      shards: [new Ledger().counters],
    })
    const operations = readFileSync('docs/operations.md', 'utf8')
    const families = Array.from(rendered.matchAll(/^# TYPE (\S+)/gm), ([, name]) => name)
    expect(names(section(operations, 'Metrics'))).toEqual(families.toSorted())
  })
})

describe('docs/operations.md', () => {
  const operations = readFileSync('docs/operations.md', 'utf8')
  const all = sources.map(name => readFileSync(join('src', name), 'utf8')).join('\n')

  test('has every event of the log, and no others', () => {
    const logged = Array.from(all.matchAll(/event: '([a-z.]+)'/g), ([, event]) => event)
    const documented = [...rows(section(operations, 'Log')).keys()].flatMap(names => names.split(', '))
    expect(new Set(documented)).toEqual(new Set(logged))
  })

  test('has every diagnostics channel, and no others', () => {
    const channels = Array.from(all.matchAll(/channel\('(shardws:[a-z:]+)'\)/g), ([, name]) => name)
    const documented = Array.from(operations.matchAll(/`(shardws:[a-z:]+)`/g), ([, name]) => name)
    expect(documented.toSorted()).toEqual(channels.toSorted())
  })

  test('has a unit for systemd whose command line is right, and which waits long enough', () => {
    const unit = readFileSync('deploy/shardws.service', 'utf8')
    const words = /^ExecStart=\S+ \S+ (.*)$/m.exec(unit)?.[1].split(' ') ?? []
    const command = parseArguments(words)
    expect(command).toMatchObject({ kind: 'serve', options: { app: 'app.mjs' } })
    const { closeSpreadMs = 0, stopTimeoutMs = OPTIONS.stopTimeoutMs.default } =
      command.kind === 'serve' ? command.options : {}
    const waits = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) * 1000
    expect(waits).toBeGreaterThan(closeSpreadMs + stopTimeoutMs)
  })

  test('names the most lines of a second', () => {
    expect(operations).toContain(`at most ${MAX_RECORDS_PER_SECOND} lines a second`)
  })
})

describe('docs/compression.md', () => {
  const compression = readFileSync('docs/compression.md', 'utf8')
  const settings = rows(section(compression, 'Settings'))
  const resolved = (option: ServeOptions['perMessageDeflate']) =>
    resolveOptions({ perMessageDeflate: option }).connection.perMessageDeflate ?? {}

  test('has every setting with its default', () => {
    const documented = Array.from(settings, ([name, [value]]) => `${name}: ${value.replaceAll(',', '')}`)
    const defaults = Object.entries(resolved(true)).map(([name, value]) => `${name}: ${String(value)}`)
    expect(documented.toSorted()).toEqual(defaults.toSorted())
  })

  test('has the ranges', () => {
    const ranges = Array.from(settings, ([name, [, range]]) => ({ name, range: range.replaceAll(',', '') }))
    const limited = ranges.filter(({ range }) => range !== '')
    expect(limited).toHaveLength(6)
    for (const { name, range } of limited) {
      const [min, max] = range.split(' to ').map(Number)
      for (const value of [min, max]) expect(resolved({ [name]: value })).toMatchObject({ [name]: value })
      for (const value of [min - 1, max + 1]) expect(() => resolved({ [name]: value })).toThrow(name)
    }
  })
})

describe('docs/security.md', () => {
  const security = readFileSync('docs/security.md', 'utf8')
  const bounds = rows(section(security, 'Bounds'))
  /** Names of the options that say how much, or how long, a client may. */
  const BOUND = /^max|^idle|^http|^highWaterMark$|^backlog$|^(?:handshake|close)TimeoutMs$|PerSecond$/

  test('has a row for every option that is a bound, and for no others', () => {
    const wanted = Object.keys(OPTIONS).filter(name => BOUND.test(name))
    expect([...bounds.keys()].toSorted()).toEqual(wanted.toSorted())
  })

  test.each([...bounds])('%s: its default, what happens, what is counted', (name, cells) => {
    const [value = '', effect, counted] = cells
    const rule = OPTIONS[name as keyof typeof OPTIONS]
    // That of memory is the machine's.
    if (name === 'maxMemory') expect(value).toMatch(/^a quarter of/)
    else expect(Number.parseInt(value.replaceAll(',', ''), 10)).toBe(rule.default)
    expect(effect).not.toBe('')
    expect(counted).not.toBe('')
  })

  test('names counters that there are', () => {
    const table = section(security, 'Bounds')
    const stats = [...members('src/primary/stats.ts', 'RefusedStats'), ...DENIALS]
    for (const [, name] of table.matchAll(/`refused\.(\w+)`/g)) expect(stats).toContain(name)
    for (const [, reason] of table.matchAll(/reason `(\w+)`/g)) expect(REFUSAL_REASONS).toContain(reason)
    for (const [, limit] of table.matchAll(/limit `(\w+)`/g)) expect(LIMITS).toContain(limit)
    const rendered = renderMetrics({
      primary: createPrimaryCounters(),
      shards: [new Ledger().counters],
      workers: 1,
    })
    for (const [name] of table.matchAll(/shardws_\w+/g)) expect(rendered).toContain(`# TYPE ${name} `)
  })

  test('has the limits without an option', () => {
    const table = section(security, 'Bounds')
    expect(table).toContain(`| ${MAX_CONNECTIONS_PER_SHARD.toLocaleString('en-US')} |`)
    const { eventsCapacity, readArena } = new Codec(compileCodec(), 1)
    expect(table).toContain(`| ${eventsCapacity} |`)
    expect(readme.replaceAll('\n', ' ')).toContain(`${eventsCapacity} messages of a connection before others`)
    expect(table).toContain(`| ${readArena.length / 1024} KiB |`)
  })

  test('has the numbers of the memory bound', () => {
    const memory = section(security, 'Memory')
    expect(memory).toContain(`\`workers\` × ${SLACK_PER_SHARD / 2 ** 20} MiB`)
    expect(memory).toContain(`${ZLIB_PER_SHARD / 2 ** 20} MiB more for each of \`workers\``)
    for (const each of [
      OBJECTS_PER_CONNECTION,
      TLS_PER_CONNECTION,
      HTTP_PER_CONNECTION,
      WINDOW_PER_CONNECTION,
      HELD_READ,
    ]) {
      expect(memory).toContain(`| ${each / 1024} KiB |`)
    }
    // What one connection with the defaults, without TLS and compression, can take.
    const all = memoryBound({}, 1, 'head', 'message', 'output', 'held') - memoryBound({}, 0)
    expect(memory).toContain(`${(all / 2 ** 20).toFixed(1)} MiB with the\ndefaults`)
  })

  test('names every file with attacks', () => {
    for (const file of readdirSync('test/integration/attacks')) {
      expect(security).toContain(`](../test/integration/attacks/${file})`)
    }
  })
})

describe('links', () => {
  const documents = [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    ...readdirSync('docs')
      .filter(name => name.endsWith('.md'))
      .map(name => `docs/${name}`),
  ]

  test.each(documents)('of %s lead to files and headings that exist', document => {
    const text = readFileSync(document, 'utf8')
    const links = Array.from(text.matchAll(/\]\(([^)]+)\)/g), ([, link]) => link)
    for (const link of links.filter(target => !/^https?:/.test(target))) {
      const [path, anchor] = link.split('#')
      const file = path === '' ? document : join(dirname(document), path)
      expect(existsSync(file), link).toBe(true)
      const headings = anchor === undefined ? [] : slugs(readFileSync(file, 'utf8'))
      expect(headings.includes(anchor ?? '') || anchor === undefined, link).toBe(true)
    }
  })

  function slugs(text: string): string[] {
    return Array.from(text.matchAll(/^#+ (.+)$/gm), ([, heading]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    )
  }
})
