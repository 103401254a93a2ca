import { availableParallelism, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { OptionError } from '../../src/errors.js'
import {
  checkTogether,
  describeRange,
  OPTIONS,
  type OptionName,
  resolveOptions,
  type ServeOptions,
} from '../../src/serve-options.js'

describe('options that go together', () => {
  it('proxyProtocol needs somebody to trust', () => {
    expect(() => checkTogether(resolveOptions({ proxyProtocol: true }))).toThrow(
      'proxyProtocol needs trustProxy',
    )
    expect(() => checkTogether(resolveOptions({ proxyProtocol: true, trustProxy: ['::1'] }))).not.toThrow()
  })

  it.each([
    { trustProxy: ['10.0.0.1/8'] },
    { trustProxy: ['localhost'] },
    { trustProxy: '10.0.0.1' },
    { proxyProtocol: 'yes' },
    { unix: '' },
    { unix: 'x'.repeat(108) },
    { unixMode: '8' },
    { unixMode: 0o660 },
    { fd: -1 },
    { fd: 2.5 },
  ])('%j is refused', options => {
    expect(() => resolveOptions(options as never)).toThrow(OptionError)
  })
})

describe('resolveOptions', () => {
  it('fills in the defaults', () => {
    expect(resolveOptions({})).toEqual({
      port: 9000,
      host: '0.0.0.0',
      unix: undefined,
      unixMode: undefined,
      fd: undefined,
      backlog: 1000,
      workers: availableParallelism(),
      app: undefined,
      tls: undefined,
      balance: 'least-connections',
      maxConnections: 1_000_000,
      maxConnectionsPerIp: 10_000,
      reloadDrainMs: 60_000,
      maxHandshakes: 50_000,
      maxHandshakeRatePerIp: 1000,
      stopTimeoutMs: 10_000,
      closeSpreadMs: 0,
      startTimeoutMs: 30_000,
      logLevel: 'info',
      logFormat: 'text',
      logger: undefined,
      metricsPath: undefined,
      adminPort: undefined,
      adminHost: '127.0.0.1',
      resourceLimits: undefined,
      localLimits: { maxConnectionsPerIp: false, maxHandshakeRatePerIp: false },
      connection: {
        path: undefined,
        origins: undefined,
        protocols: [],
        trustProxy: [],
        trustProxyHeader: 'x-forwarded-for',
        proxyProtocol: false,
        maxHeaderBytes: 16_384,
        maxHeaderLines: 100,
        perMessageDeflate: undefined,
        maxPayload: 1_048_576,
        maxFragments: 1_048_576,
        maxMessagesPerSecond: 0,
        maxBytesPerSecond: 0,
        rateLimitPolicy: 'pause',
        maxBackpressure: 1_048_576,
        backpressurePolicy: 'close',
        highWaterMark: 65_536,
        maxMemory: expect.any(Number) as number,
        handshakeTimeoutMs: 10_000,
        httpRequestTimeoutMs: 30_000,
        httpKeepAliveMs: 5000,
        maxHttpRequests: 10_000,
        idlePingMs: 30_000,
        idleTimeoutMs: 60_000,
        closeTimeoutMs: 5000,
      },
    })
  })

  it('takes undefined for the default', () => {
    expect(resolveOptions({ port: undefined, maxPayload: undefined, app: undefined })).toEqual(
      resolveOptions({}),
    )
  })

  const integers = Object.entries(OPTIONS).flatMap(([name, rule]) =>
    rule.kind === 'integer' ? [[name as OptionName, rule.min, rule.max] as const] : [],
  )

  it.each(integers)('takes %s from %i to %i and nothing else', (name, min, max) => {
    for (const value of [min, max]) expect(() => resolveOptions({ [name]: value })).not.toThrow()
    for (const value of [min - 1, max + 1, min + 0.5, Number.NaN, String(max), null]) {
      const attempt = () => resolveOptions({ [name]: value })
      expect(attempt).toThrow(OptionError)
      expect(attempt).toThrow(`${name} must be an integer from ${min} to ${max}, not `)
    }
  })

  it.each([
    ['balance', 'random'],
    ['backpressurePolicy', 'wait'],
    ['logLevel', 'verbose'],
    ['logFormat', 'xml'],
    ['logger', 'pino'],
    ['logger', { info() {} }],
    ['host', ''],
    ['host', 5],
    ['metricsPath', 'metrics'],
    ['metricsPath', '/metrics?all'],
    ['adminPort', 65_536],
    ['adminPort', -1],
    ['adminPort', '9001'],
    ['adminHost', ''],
    ['path', 'chat'],
    ['path', '/chat?room=1'],
    ['path', '/a b'],
    ['path', '/a#b'],
    ['origins', 'https://example.org'],
    ['origins', [5]],
    ['protocols', 'chat'],
    ['protocols', ['chat', 'chat']],
    ['protocols', ['a b']],
    ['protocols', ['']],
    ['resourceLimits', { maxOldGenerationSizeMb: 15 }],
    ['resourceLimits', { maxOldGenerationSizeMb: '64' }],
    ['resourceLimits', { stackSizeMb: 0.5 }],
    ['resourceLimits', { heap: 5 }],
    ['resourceLimits', 5],
    ['perMessageDeflate', 1],
    ['perMessageDeflate', null],
    ['perMessageDeflate', { windowBits: 10 }],
    ['perMessageDeflate', { serverMaxWindowBits: 7 }],
    ['perMessageDeflate', { clientMaxWindowBits: 16 }],
    ['perMessageDeflate', { serverNoContextTakeover: 1 }],
    ['perMessageDeflate', { level: '6' }],
    ['app', 5],
    ['app', ''],
  ] as const)('refuses %s: %o', (name, value) => {
    const attempt = () => resolveOptions({ [name]: value })
    expect(attempt).toThrow(OptionError)
    expect(attempt).toThrow(`${name} must be ${describeRange(name)}, not `)
  })

  it.each([
    ['path', '/'],
    ['path', '/chat/room-1'],
    ['origins', ['https://example.org']],
    ['origins', []],
    ['protocols', ['chat.v1', 'chat']],
    ['resourceLimits', { maxOldGenerationSizeMb: 64, stackSizeMb: 2 }],
    ['host', '::'],
    ['perMessageDeflate', false],
    ['perMessageDeflate', { threshold: 0, level: 0, clientNoContextTakeover: true, memLevel: undefined }],
    ['logger', console],
    ['metricsPath', '/metrics'],
    ['adminPort', 0],
    ['adminPort', 65_535],
    ['adminHost', '::1'],
  ] as const)('takes %s: %o', (name, value) => {
    expect(() => resolveOptions({ [name]: value })).not.toThrow()
  })

  it('fills in the settings of perMessageDeflate', () => {
    const defaults = {
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
      threshold: 1024,
      level: 6,
      memLevel: 8,
      maxContexts: 128,
    }
    const settings = (perMessageDeflate: ServeOptions['perMessageDeflate']) =>
      resolveOptions({ perMessageDeflate }).connection.perMessageDeflate
    expect(settings(false)).toBeUndefined()
    expect(settings(true)).toEqual(defaults)
    expect(settings({ level: 1, memLevel: undefined })).toEqual({ ...defaults, level: 1 })
  })

  it('says which options there are when one does not exist', () => {
    expect(() => resolveOptions({ prot: 80 } as never)).toThrow(
      /there is no option prot; there are: port, host/,
    )
    expect(() => resolveOptions(null as never)).toThrow(OptionError)
    expect(() => resolveOptions(5 as never)).toThrow(OptionError)
  })

  it('keeps long values out of the message', () => {
    let message = ''
    try {
      resolveOptions({ balance: 'x'.repeat(100_000) as never })
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain('balance must be one of')
    expect(message.length).toBeLessThan(300)
  })

  it('makes a URL of the application: from a path, a file URL as text or object', () => {
    const here = fileURLToPath(import.meta.url)
    for (const app of [here, import.meta.url, new URL(import.meta.url)]) {
      expect(resolveOptions({ app }).app).toBe(import.meta.url)
    }
    expect(resolveOptions({ app: 'data:text/javascript,export default {}' }).app).toMatch(/^data:/)
    expect(() => resolveOptions({ app: './no-such-app.js' })).toThrow(/there is no file .*no-such-app\.js/)
    expect(() => resolveOptions({ app: new URL('file:///no/such/app.js') })).toThrow(OptionError)
  })

  it('does not keep the lists it was given', () => {
    const protocols = ['a']
    const { connection } = resolveOptions({ protocols })
    protocols.push('b')
    expect(connection.protocols).toEqual(['a'])
  })
})

it('maxMemory is a quarter of what there is', () => {
  const { maxMemory } = resolveOptions({}).connection
  expect(maxMemory).toBeGreaterThanOrEqual(2 ** 20)
  expect(maxMemory).toBeLessThanOrEqual(totalmem() / 4)
})
