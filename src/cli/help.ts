import { OPTIONS, type OptionRule, resolveOptions } from '../serve-options.js'
import { FLAGS, type Flag } from './flags.js'
import { TLS_FLAGS } from './tls-flags.js'

const WIDTH = 80
/** Where the explanations of flags begin. */
const COLUMN = 34

/** What `--help` prints: 80 columns at most, made from the table of options. */
export function helpText(): string {
  const { connection } = resolveOptions({})
  const ofConnections = FLAGS.filter(({ option }) => Object.hasOwn(connection, option))
  const ofServer = FLAGS.filter(flag => !ofConnections.includes(flag))
  return `Usage: shardws [flags] [app]
       shardws bench [flags] ws://host:port   (see shardws bench --help)

Serves WebSocket connections on every core of the machine.

${paragraph(
  `app is the path of a module with "export default defineApp({ ... })". Without it the built-in one runs: text PING is answered with PONG, everything else is sent back, and at log level debug it is printed.`,
)}

Server
${ofServer.map(describe).join('\n')}

TLS
${Object.entries(TLS_FLAGS)
  .map(([name, text]) => entry(`--${name} <file>`, text))
  .join('\n')}

Connections
${ofConnections.map(describe).join('\n')}

Other
${entry('--help, -h', 'this text')}
${entry('--version, -v', 'the version')}

${paragraph(
  'SIGTERM and SIGINT stop the server: clients get close code 1001, and what has not ended after --stop-timeout-ms is cut. A second signal ends it at once. SIGHUP loads the application and the files of TLS again, for new connections.',
)}
`
}

function describe(flag: Flag): string {
  const rule: OptionRule = OPTIONS[flag.option]
  const facts = [range(rule), defaultOf(flag, rule)].filter(fact => fact !== '').join('; ')
  const lines = entry(`--${flag.name} ${flag.placeholder}`, inFlags(rule.text))
  return facts === '' ? lines : `${lines}\n${entry('', `(${facts})`)}`
}

/** Options that a text mentions are flags here. */
function inFlags(text: string): string {
  return text.replace(
    /\b[a-z]+[A-Z]\w*/g,
    word => FLAGS.find(({ option }) => option === word)?.name.replace(/^/, '--') ?? word,
  )
}

function range(rule: OptionRule): string {
  switch (rule.kind) {
    case 'integer':
      return `${rule.min} to ${rule.max}`
    case 'choice':
      return rule.choices.join(', ')
    case 'other':
      return ''
    // no default
  }
}

function defaultOf({ option }: Flag, rule: OptionRule): string {
  const value = rule.default
  if (typeof value !== 'number' && typeof value !== 'string') return ''
  return option === 'workers' ? `default ${value}, the cores there are` : `default ${value}`
}

function entry(left: string, explanation: string): string {
  return wrap(explanation, WIDTH - COLUMN)
    .map((line, index) => (index === 0 ? `  ${left}` : '').padEnd(COLUMN) + line)
    .join('\n')
}

function paragraph(text: string): string {
  return wrap(text, WIDTH).join('\n')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
