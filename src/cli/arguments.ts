import { parseArgs } from 'node:util'
import { OptionError } from '../errors.js'
import { describeRange, resolveOptions, type ServeOptions } from '../serve-options.js'
import { FLAGS } from './flags.js'
import { TLS_FLAGS, tlsOf } from './tls-flags.js'

/** What a command line asks for. */
export type Command = { kind: 'help' } | { kind: 'version' } | { kind: 'serve'; options: ServeOptions }

/**
 * Reads a command line. The application is not looked for yet.
 *
 * @param args what follows the command's name
 * @throws OptionError (`ERR_FLAG`) whose message is one line, for whoever typed it
 */
export function parseArguments(args: readonly string[]): Command {
  const { values, positionals } = split(args)
  if (values.help === true) return { kind: 'help' }
  if (values.version === true) return { kind: 'version' }

  const options: Record<string, unknown> = {}
  const [app, ...more] = positionals
  if (more.length > 0) refuse(`there can be one app only, not also ${more.map(show).join(', ')}`)
  if (app === '') refuse("the app must be the path of a module, not ''")
  if (app !== undefined) options.app = app
  for (const { option, name, parse } of FLAGS) {
    const given = values[name]
    if (given === undefined) continue
    const texts = [given].flat() as string[]
    const value = parse(texts)
    if (!isAccepted({ [option]: value })) {
      refuse(`--${name} must be ${describeRange(option)}, not ${texts.map(show).join(', ')}`)
    }
    options[option] = value
  }
  const tls = tlsOf(values, refuse)
  if (tls !== undefined) options.tls = tls
  return { kind: 'serve', options }
}

interface Split {
  /** By name of the flag. */
  values: Record<string, string | boolean | (string | boolean)[] | undefined>
  positionals: string[]
}

function split(args: readonly string[]): Split {
  try {
    return parseArgs({
      args: args.map((argument, index) => withValue(argument, args[index + 1])),
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
        ...Object.fromEntries(
          FLAGS.map(({ name, isList }) => [name, { type: 'string', multiple: isList } as const]),
        ),
        ...Object.fromEntries(Object.keys(TLS_FLAGS).map(name => [name, { type: 'string' } as const])),
      },
    })
  } catch (error) {
    return refuse(explain(error as NodeJS.ErrnoException))
  }
}

/** A flag that may stand alone, and does, gets the value that this means. */
function withValue(argument: string, next = ''): string {
  const form = FLAGS.find(({ name }) => argument === `--${name}`)?.value
  return form === undefined || form.test(next) ? argument : `${argument}=true`
}

/** Node's own texts take several lines and speak of programming. */
function explain({ code, message }: NodeJS.ErrnoException): string {
  const quoted = /'([^']*)'/.exec(message)?.[1] ?? ''
  const flag = quoted.match(/--?[^\s,]+/g)?.at(-1) ?? quoted
  switch (code) {
    case 'ERR_PARSE_ARGS_UNKNOWN_OPTION':
      return `there is no flag ${flag}`
    case 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE':
      return message.includes('does not take') ? `${flag} takes no value` : `${flag} needs a value`
    default:
      return message.split('\n', 1)[0]
  }
}

function isAccepted(options: ServeOptions): boolean {
  try {
    resolveOptions(options)
    return true
  } catch (error) {
    if (error instanceof OptionError) return false
    throw error
  }
}

function show(text: string): string {
  return `'${text}'`
}

function refuse(text: string): never {
  throw new OptionError('ERR_FLAG', `${text} (see shardws --help)`)
}
