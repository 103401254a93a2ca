import { describe, expect, it } from 'vitest'
import { benchHelp, parseBenchArguments } from '../../../src/cli/bench.js'
import { LOAD_RANGES } from '../../../src/load/load-options.js'

const TARGET = 'ws://localhost:9000'

describe('parseBenchArguments', () => {
  it("takes autocannon's letters", () => {
    const args = [
      '-c',
      '10',
      '-d',
      '2.5',
      '-p',
      '4',
      '-s',
      '100',
      '-R',
      '50',
      '-t',
      '3',
      '-w',
      '2',
      '-W',
      '1',
    ]
    expect(parseBenchArguments([...args, TARGET])?.options).toMatchObject({
      connections: 10,
      duration: 2.5,
      pipelining: 4,
      size: 100,
      rate: 50,
      timeout: 3,
      processes: 2,
      warmup: 1,
      text: false,
    })
  })

  it('takes a body as text, headers and subprotocols', () => {
    const args = ['-b', 'Grüße', '-H', 'Origin: http://a', '-H', 'Cookie: b=c', '--protocol', 'v1']
    const command = parseBenchArguments([...args, TARGET])
    expect(command?.options).toMatchObject({
      text: true,
      size: 7,
      headers: ['Origin: http://a', 'Cookie: b=c'],
      protocols: ['v1'],
    })
  })

  it('takes a file as the message', () => {
    const { payload, text } = parseBenchArguments(['-i', 'package.json', TARGET])?.options ?? {}
    expect(String(payload)).toContain('"name": "shardws"')
    expect(text).toBe(false)
  })

  it('knows what is to be printed', () => {
    expect(parseBenchArguments([TARGET])).toMatchObject({ json: false, progress: true })
    expect(parseBenchArguments(['-j', '-n', TARGET])).toMatchObject({ json: true, progress: false })
    expect(parseBenchArguments(['--help'])).toBeUndefined()
  })

  it.each([
    [[], 'give one target'],
    [[TARGET, TARGET], 'give one target'],
    [['--nope', TARGET], "Unknown option '--nope'"],
    [['-c', 'many', TARGET], '--connections takes a number, not "many"'],
    [['-c', '0', TARGET], 'connections must be a whole number from 1'],
    [['-s', '5', '-b', 'hello', TARGET], 'give one of --size, --body and --input'],
    [['-i', 'missing.bin', TARGET], "--input can't be read"],
  ])('refuses %j', (args, text) => {
    expect(() => parseBenchArguments(args)).toThrow(text)
  })
})

it('the help has every flag with its default, in 80 columns', () => {
  const help = benchHelp()
  for (const [name, { default: value }] of Object.entries(LOAD_RANGES)) {
    expect(help).toMatch(new RegExp(`--${name} <n> .*default ${value}\\)`))
  }
  expect(Math.max(...help.split('\n').map(line => line.length))).toBeLessThanOrEqual(80)
})
