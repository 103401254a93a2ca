import { availableParallelism } from 'node:os'
import { describe, expect, test } from 'vitest'
import { parseArguments } from '../../../src/cli/arguments.js'
import type { Flagless } from '../../../src/cli/flags.js'
import { OptionError } from '../../../src/errors.js'
import { OPTIONS, type OptionName, resolveOptions } from '../../../src/serve-options.js'

function options(...args: string[]): unknown {
  const command = parseArguments(args)
  return command.kind === 'serve' ? command.options : command
}

/** A value of each option that is not its default, as a flag and as an option. */
const SAMPLES: Record<Exclude<OptionName, Flagless>, [flag: string, text: string, value: unknown]> = {
  port: ['--port', '0', 0],
  host: ['--host', '::1', '::1'],
  unix: ['--unix', '/run/x.sock', '/run/x.sock'],
  unixMode: ['--unix-mode', '660', '660'],
  fd: ['--fd', '3', 3],
  backlog: ['--backlog', '5', 5],
  workers: ['--workers', '3', 3],
  balance: ['--balance', 'round-robin', 'round-robin'],
  maxConnections: ['--max-connections', '7', 7],
  maxConnectionsPerIp: ['--max-connections-per-ip', '8', 8],
  maxHandshakes: ['--max-handshakes', '100', 100],
  maxHandshakeRatePerIp: ['--max-handshake-rate-per-ip', '50', 50],
  stopTimeoutMs: ['--stop-timeout-ms', '9', 9],
  closeSpreadMs: ['--close-spread-ms', '33', 33],
  reloadDrainMs: ['--reload-drain-ms', '34', 34],
  startTimeoutMs: ['--start-timeout-ms', '10', 10],
  logLevel: ['--log-level', 'debug', 'debug'],
  logFormat: ['--log-format', 'json', 'json'],
  resourceLimits: [
    '--resource-limits',
    'maxOldGenerationSizeMb=64,stackSizeMb=4',
    { maxOldGenerationSizeMb: 64, stackSizeMb: 4 },
  ],
  metricsPath: ['--metrics-path', '/metrics', '/metrics'],
  adminPort: ['--admin-port', '9001', 9001],
  adminHost: ['--admin-host', '::1', '::1'],
  path: ['--path', '/chat', '/chat'],
  origins: ['--origins', 'https://a.example, https://b.example', ['https://a.example', 'https://b.example']],
  protocols: ['--protocols', 'v2,v1', ['v2', 'v1']],
  trustProxy: ['--trust-proxy', '10.0.0.0/8,::1, unix', ['10.0.0.0/8', '::1', 'unix']],
  trustProxyHeader: ['--trust-proxy-header', 'forwarded', 'forwarded'],
  proxyProtocol: ['--proxy-protocol', 'true', true],
  maxHeaderBytes: ['--max-header-bytes', '4096', 4096],
  maxHeaderLines: ['--max-header-lines', '11', 11],
  perMessageDeflate: [
    '--per-message-deflate',
    'threshold=64,serverNoContextTakeover=true',
    { threshold: 64, serverNoContextTakeover: true },
  ],
  maxPayload: ['--max-payload', '12', 12],
  maxFragments: ['--max-fragments', '13', 13],
  maxMessagesPerSecond: ['--max-messages-per-second', '100', 100],
  maxBytesPerSecond: ['--max-bytes-per-second', '65536', 65_536],
  rateLimitPolicy: ['--rate-limit-policy', 'close', 'close'],
  maxBackpressure: ['--max-backpressure', '14', 14],
  backpressurePolicy: ['--backpressure-policy', 'drop', 'drop'],
  highWaterMark: ['--high-water-mark', '15', 15],
  maxMemory: ['--max-memory', '1073741824', 2 ** 30],
  handshakeTimeoutMs: ['--handshake-timeout-ms', '16', 16],
  httpRequestTimeoutMs: ['--http-request-timeout-ms', '60000', 60_000],
  httpKeepAliveMs: ['--http-keep-alive-ms', '1000', 1000],
  maxHttpRequests: ['--max-http-requests', '5', 5],
  idlePingMs: ['--idle-ping-ms', '17', 17],
  idleTimeoutMs: ['--idle-timeout-ms', '18', 18],
  closeTimeoutMs: ['--close-timeout-ms', '19', 19],
}

describe('flags', () => {
  test('nothing given leaves everything to the defaults of serve', () => {
    expect(options()).toEqual({})
    const { port, host, workers, app } = resolveOptions({})
    expect({ port, host, workers, app }).toEqual({
      port: 9000,
      host: '0.0.0.0',
      workers: availableParallelism(),
      app: undefined,
    })
  })

  test('there is one for every option', () => {
    expect(Object.keys(SAMPLES)).toEqual(
      Object.keys(OPTIONS).filter(name => !['app', 'tls', 'logger'].includes(name)),
    )
  })

  test.each(Object.entries(SAMPLES))('%s', (name, [flag, text, value]) => {
    expect(options(flag, text)).toEqual({ [name]: value })
    expect(options(`${flag}=${text}`)).toEqual({ [name]: value })
    expect(() => resolveOptions({ [name]: value })).not.toThrow()
  })

  test('all at once, with an app between them', () => {
    const flags = Object.values(SAMPLES).flatMap(sample => sample.slice(0, 2) as string[])
    const values = Object.entries(SAMPLES).map(([name, [, , value]]) => [name, value])
    expect(options(...flags.slice(0, 6), 'app.js', ...flags.slice(6))).toEqual({
      app: 'app.js',
      ...Object.fromEntries(values),
    })
  })

  test('those of TLS are files, which are not looked at yet', () => {
    const tls = { key: 'a.pem', cert: 'b.pem' }
    expect(options('--tls-key', 'a.pem', '--tls-cert', 'b.pem')).toEqual({ tls })
    expect(options('--tls-key=a.pem', '--tls-cert=b.pem', '--tls-ca=c.pem')).toEqual({
      tls: { ...tls, ca: 'c.pem', requestCert: true },
    })
    for (const flags of [['--tls-key=a.pem'], ['--tls-cert=b.pem', '--tls-key='], ['--tls-ca=c.pem']]) {
      expect(() => options(...flags)).toThrow(/--tls-key and --tls-cert must both be given/)
    }
    expect(() => options('--tls-key=a', '--tls-cert=b', '--tls-ca=')).toThrow('--tls-ca must be a file')
  })

  test('lists grow with every flag, of others the last counts', () => {
    expect(options('--protocols', 'a,b', '--port', '1', '--protocols=c', '--port', '2')).toEqual({
      protocols: ['a', 'b', 'c'],
      port: 2,
    })
  })

  test('--per-message-deflate stands alone, or has a value', () => {
    for (const args of [
      ['--per-message-deflate'],
      ['--per-message-deflate', 'true'],
      ['--per-message-deflate=true'],
    ]) {
      expect(options(...args)).toEqual({ perMessageDeflate: true })
    }
    expect(options('--per-message-deflate', 'false')).toEqual({ perMessageDeflate: false })
    expect(options('--per-message-deflate', 'app.js')).toEqual({ perMessageDeflate: true, app: 'app.js' })
    expect(options('--per-message-deflate', '--port', '1')).toEqual({ perMessageDeflate: true, port: 1 })
    expect(options('--per-message-deflate', 'level=1', 'app.js')).toEqual({
      perMessageDeflate: { level: 1 },
      app: 'app.js',
    })
  })

  test('help and version', () => {
    for (const flag of ['--help', '-h'])
      expect(parseArguments(['--port', '1', flag])).toEqual({ kind: 'help' })
    for (const flag of ['--version', '-v']) expect(parseArguments([flag])).toEqual({ kind: 'version' })
  })

  test('what follows -- is the app', () => {
    expect(options('--', '--app.js')).toEqual({ app: '--app.js' })
  })
})

describe('a command line that can not be understood is refused in one line', () => {
  test.each([
    [['--prot', '1'], 'there is no flag --prot (see shardws --help)'],
    [['-x'], 'there is no flag -x (see shardws --help)'],
    [['--app', 'app.js'], 'there is no flag --app (see shardws --help)'],
    [['--maxPayload', '1'], 'there is no flag --maxPayload (see shardws --help)'],
    [['--port'], '--port needs a value (see shardws --help)'],
    [['--port', '--workers'], '--port needs a value (see shardws --help)'],
    [['--port', '-1'], '--port needs a value (see shardws --help)'],
    [['--help=yes'], '--help takes no value (see shardws --help)'],
    [['a.js', 'b.js'], "there can be one app only, not also 'b.js' (see shardws --help)"],
    [[''], "the app must be the path of a module, not '' (see shardws --help)"],
    [['--port=-1'], "--port must be an integer from 0 to 65535, not '-1' (see shardws --help)"],
    [
      ['--backpressure-policy', 'wait'],
      "--backpressure-policy must be one of close, drop, not 'wait' (see shardws --help)",
    ],
  ])('%j', (args, message) => {
    expect(() => parseArguments(args)).toThrow(new OptionError('ERR_FLAG', message))
  })

  test.each(['', ' ', '1.5', '0x10', '1e3', 'abc', '65536', '9'.repeat(400)])('--port %j', text => {
    expect(() => parseArguments(['--port', text])).toThrow(/^--port must be an integer from 0 to 65535, not/)
  })

  test.each([
    ['--host', ''],
    ['--path', 'chat'],
    ['--path', '/chat?room=1'],
    ['--origins', ''],
    ['--origins', 'https://a.example,'],
    ['--protocols', 'a,,b'],
    ['--protocols', 'a,a'],
    ['--protocols', 'a b'],
    ['--resource-limits', 'maxOldGenerationSizeMb'],
    ['--resource-limits', 'maxOldGenerationSizeMb=many'],
    ['--resource-limits', 'heap=64'],
    ['--resource-limits', ''],
    ['--per-message-deflate', 'level=10'],
    ['--per-message-deflate', 'speed=1'],
    ['--per-message-deflate', 'level='],
  ])('%s %j', (flag, text) => {
    expect(() => parseArguments([flag, text])).toThrow(
      expect.objectContaining({ code: 'ERR_FLAG', message: expect.stringMatching(`^${flag} must be .*$`) }),
    )
  })
})
