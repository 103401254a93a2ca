import { parseArgs } from 'node:util'
import { OptionError } from '../errors.js'
import { LOAD_RANGES, type LoadNumber, type LoadOptions, resolveLoadOptions } from '../load/load-options.js'
import { runLoadProcesses } from '../load/processes.js'
import { reportJson, reportText } from '../load/report.js'

/** The flag of each number, with its letter and what it says. */
const FLAGS: readonly (readonly [letter: string | undefined, name: LoadNumber, text: string])[] = [
  ['c', 'connections', 'connections to open'],
  ['d', 'duration', 'seconds to measure'],
  ['p', 'pipelining', 'messages under way on each connection'],
  ['s', 'size', 'bytes of a message'],
  ['r', 'rate', 'messages per second in all; 0: as many as come back'],
  ['w', 'processes', 'processes that share the connections'],
  [undefined, 'warmup', 'seconds before the measurement begins'],
]

const HELP_HEAD = `Usage: shardws bench [flags] ws://host:port/path

Loads a WebSocket server that echoes what it gets: sends messages, counts and
checks what comes back, and reports latency and throughput.

`

const HELP_TAIL = `  -t, --text             text instead of binary messages
  -j, --json             the result as JSON on stdout; no progress
      --protocol <name>  a subprotocol to offer; may be given several times
  -h, --help             this text

With a rate, latency counts from the time at which a message was due, so a
server that stalls can't hide it (no coordinated omission).
Exit code 0: all came back as it was sent; 1: errors or changed messages, or no
connection; 2: the command line can't be understood.
`

type BenchCommand = { options: LoadOptions; json: boolean } | undefined

/** @returns the exit code */
export async function bench(args: readonly string[]): Promise<number> {
  let command: BenchCommand
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
  const { options, json } = command
  const progress = (line: string): void => {
    if (!json) process.stderr.write(line)
  }
  try {
    let second = 0
    const result = await runLoadProcesses(options, {
      onConnected: () => progress(`${describe(options)}\n`),
      onSecond: messages => {
        second++
        progress(`\r${second} of ${options.duration} s: ${messages.toLocaleString('en-US')} messages/s   `)
      },
      onEnd: () => progress('\r\x1b[K'),
    })
    process.stdout.write(
      json
        ? `${JSON.stringify(reportJson(options, result), undefined, 2)}\n`
        : `${reportText(options, result)}\n`,
    )
    return result.mismatches === 0 && result.errors.size === 0 ? 0 : 1
  } catch (error) {
    process.stderr.write(`shardws bench: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

/**
 * @returns undefined when help is asked for
 * @throws OptionError (`ERR_LOAD_OPTION`)
 */
export function parseBenchArguments(args: readonly string[]): BenchCommand {
  const parsed = parse(args)
  if (parsed.values.help === true) return undefined
  const [url, ...more] = parsed.positionals
  if (url === undefined || more.length > 0) {
    throw new OptionError(
      'ERR_LOAD_OPTION',
      'give one target, such as ws://localhost:9000/ (see shardws bench --help)',
    )
  }
  const given: Partial<Record<LoadNumber, number>> = {}
  for (const [, name] of FLAGS) {
    const text = parsed.values[name]
    if (typeof text !== 'string') continue
    if (!/^[0-9]+(\.[0-9]+)?$/.test(text)) {
      throw new OptionError('ERR_LOAD_OPTION', `--${name} takes a number, not ${JSON.stringify(text)}`)
    }
    given[name] = Number(text)
  }
  const options = resolveLoadOptions(url, {
    ...given,
    text: parsed.values.text === true,
    protocols: (parsed.values.protocol as string[] | undefined) ?? [],
  })
  return { options, json: parsed.values.json === true }
}

function parse(args: readonly string[]): ReturnType<typeof parseArgs> {
  const numbers = FLAGS.map(([short, name]) => [name, { type: 'string' as const, ...(short && { short }) }])
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...(Object.fromEntries(numbers) as Record<LoadNumber, { type: 'string'; short?: string }>),
        text: { type: 'boolean', short: 't' },
        json: { type: 'boolean', short: 'j' },
        protocol: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    const [sentence] = (error as Error).message.split('. ', 1)
    throw new OptionError('ERR_LOAD_OPTION', `${sentence} (see shardws bench --help)`)
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
