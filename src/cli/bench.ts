import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { OptionError } from '../errors.js'
import { LOAD_RANGES, type LoadNumber, type LoadOptions, resolveLoadOptions } from '../load/load-options.js'
import { runLoadProcesses } from '../load/processes.js'
import { isFlawless, reportJson, reportText } from '../load/report.js'

/** The flag of each number, with its letter, which is autocannon's where it has the flag, and what it says. */
const FLAGS: readonly (readonly [letter: string | undefined, name: LoadNumber, text: string])[] = [
  ['c', 'connections', 'connections to open'],
  ['d', 'duration', 'seconds to measure'],
  ['W', 'warmup', 'seconds before the measurement begins'],
  ['p', 'pipelining', 'messages under way on each connection'],
  ['s', 'size', 'bytes of a message'],
  ['R', 'rate', 'messages per second in all; 0: no limit'],
  ['t', 'timeout', 'seconds until no answer is an error'],
  ['w', 'processes', 'processes that share the connections'],
]

const HELP_HEAD = `Usage: shardws bench [flags] ws://host:port/path

Loads a WebSocket server that echoes what it gets: sends messages, counts and
checks what comes back, and reports latency and throughput.

`

const HELP_TAIL = `      --text             text instead of binary messages
  -b, --body <text>      the message, sent as text
  -i, --input <file>     a file that is the message
  -H, --header <line>    a header such as "Origin: https://example.com"; several
                         times for more
      --protocol <name>  a subprotocol to offer; several times for more
  -n, --no-progress      no progress on stderr; there is none without a terminal
  -j, --json             the result as JSON on stdout
  -h, --help             this text

With a rate, latency counts from the time at which a message was due, so a
server that stalls can't hide it (no coordinated omission). Ctrl+C ends a run
early and prints what was measured so far.
Exit code 0: all came back as it was sent; 1: errors, changed messages, or
nothing; 2: the command line can't be understood.
`

interface BenchCommand {
  options: LoadOptions
  json: boolean
  progress: boolean
}

/** @returns the exit code */
export async function bench(args: readonly string[]): Promise<number> {
  let command: BenchCommand | undefined
  try {
    command = parseBenchArguments(args)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    process.stderr.write(`shardws bench: ${error.message}\n`)
    return 2
  }
  if (command === undefined) {
    process.stdout.write(benchHelp())
    return 0
  }
  return run(command)
}

async function run({ options, json, progress }: BenchCommand): Promise<number> {
  const stop = new AbortController()
  // The second Ctrl+C does what it always does.
  process.once('SIGINT', () => stop.abort())
  const say = (text: string): void => {
    if (progress && process.stderr.isTTY) process.stderr.write(text)
  }
  let second = 0
  try {
    const result = await runLoadProcesses(options, {
      onConnected: () => {
        if (!json) process.stderr.write(`${describe(options)}\n`)
      },
      onSecond: messages => {
        second++
        say(`\r${second} of ${options.duration} s: ${messages.toLocaleString('en-US')} messages/s\x1b[K`)
      },
      onEnd: () => say('\r\x1b[K'),
      stop: stop.signal,
    })
    const report = json
      ? JSON.stringify(reportJson(options, result), undefined, 2)
      : reportText(options, result)
    process.stdout.write(`${report}\n`)
    return isFlawless(result) ? 0 : 1
  } catch (error) {
    process.stderr.write(`shardws bench: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

/**
 * @returns undefined when help is asked for
 * @throws OptionError (`ERR_LOAD_OPTION`)
 */
export function parseBenchArguments(args: readonly string[]): BenchCommand | undefined {
  const { values, positionals } = parse(args)
  if (values.help === true) return undefined
  const [url, ...more] = positionals
  if (url === undefined || more.length > 0) {
    throw fault('give one target, such as ws://localhost:9000/ (see shardws bench --help)')
  }
  const given: Partial<Record<LoadNumber, number>> = {}
  for (const [, name] of FLAGS) {
    const text = values[name]
    if (text === undefined) continue
    if (!/^[0-9]+(\.[0-9]+)?$/.test(text))
      throw fault(`--${name} takes a number, not ${JSON.stringify(text)}`)
    given[name] = Number(text)
  }
  const { body, input } = values
  if ([body, input, values.size].filter(value => value !== undefined).length > 1) {
    throw fault('give one of --size, --body and --input')
  }
  const options = resolveLoadOptions(url, {
    ...given,
    text: values.text === true || body !== undefined,
    ...(body !== undefined && { payload: Buffer.from(body) }),
    ...(input !== undefined && { payload: readInput(input) }),
    protocols: values.protocol ?? [],
    headers: values.header ?? [],
  })
  return { options, json: values.json === true, progress: values['no-progress'] !== true }
}

interface BenchValues extends Partial<Record<LoadNumber | 'body' | 'input', string>> {
  protocol?: string[]
  header?: string[]
  text?: boolean
  json?: boolean
  'no-progress'?: boolean
  help?: boolean
}

function parse(args: readonly string[]): { values: BenchValues; positionals: string[] } {
  const numbers = FLAGS.map(([short, name]) => [name, { type: 'string' as const, ...(short && { short }) }])
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...(Object.fromEntries(numbers) as Record<LoadNumber, { type: 'string'; short?: string }>),
        text: { type: 'boolean' },
        body: { type: 'string', short: 'b' },
        input: { type: 'string', short: 'i' },
        header: { type: 'string', short: 'H', multiple: true },
        protocol: { type: 'string', multiple: true },
        'no-progress': { type: 'boolean', short: 'n' },
        json: { type: 'boolean', short: 'j' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    const [sentence] = (error as Error).message.split('. ', 1)
    throw fault(`${sentence} (see shardws bench --help)`)
  }
}

function readInput(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw fault(`--input can't be read: ${(error as Error).message}`)
  }
}

export function benchHelp(): string {
  const lines = FLAGS.map(([short, name, text]) => {
    const flag = `${short === undefined ? '    ' : `-${short}, `}--${name} <n>`
    return `  ${flag.padEnd(22)} ${text} (default ${LOAD_RANGES[name].default})\n`
  })
  return HELP_HEAD + lines.join('') + HELP_TAIL
}

function describe({ url, connections, pipelining, size, text, duration, rate }: LoadOptions): string {
  const kind = text ? 'text' : 'binary'
  const pace = rate > 0 ? `, ${rate.toLocaleString('en-US')} messages/s` : ''
  return `${duration} s at ${url.href}: ${connections} connections, ${pipelining} in flight, ${size} bytes of ${kind}${pace}`
}

function fault(message: string): OptionError {
  return new OptionError('ERR_LOAD_OPTION', message)
}
