import { OPTIONS, type OptionName, type OptionRule } from '../serve-options.js'

/** How an option is written on a command line. */
export interface Flag {
  option: OptionName
  /** Without the dashes: `max-payload`. */
  name: string
  /** What stands for the value in the help text. */
  placeholder: string
  /** Whether the flag may be given several times, each adding to the ones before. */
  isList: boolean
  /** Makes the option's value; what it can't make sense of becomes something that the option does not accept. */
  parse: (texts: readonly string[]) => unknown
}

type Form = Pick<Flag, 'placeholder' | 'isList' | 'parse'>

type OtherName = {
  [Name in OptionName]: (typeof OPTIONS)[Name]['kind'] extends 'other' ? Name : never
}[OptionName]

const INTEGER: Form = { placeholder: '<n>', isList: false, parse: ([text]) => parseInteger(text) }
const LIST: Form = {
  placeholder: '<a,b,...>',
  isList: true,
  // Nothing between two commas is a slip, not an element.
  parse: texts => texts.flatMap(text => text.split(',').map(element => element.trim() || undefined)),
}

/** Options that are no flags: `app` is the argument, and no text is a logger. */
export type Flagless = 'app' | 'logger'

/** The options that are neither numbers nor choices. */
const FORMS: Record<Exclude<OtherName, Flagless>, Form> = {
  host: word('<address>'),
  unix: word('<path>'),
  unixMode: word('<mode>'),
  fd: INTEGER,
  metricsPath: word('</path>'),
  adminPort: INTEGER,
  adminHost: word('<address>'),
  path: word('</path>'),
  origins: LIST,
  protocols: LIST,
  trustProxy: LIST,
  proxyProtocol: {
    placeholder: '<true|false>',
    isList: false,
    parse: ([text]) => (text === 'true' || text === 'false' ? text === 'true' : text),
  },
  resourceLimits: {
    placeholder: '<name=n,...>',
    isList: true,
    parse: texts =>
      Object.fromEntries(
        texts
          .flatMap(list => list.split(','))
          .map(pair => {
            const [name, value] = pair.split('=', 2) as [string, string | undefined]
            return [name.trim(), parseInteger(value)]
          }),
      ),
  },
}

/** A flag for every option of `serve`, in the order of the table of options. */
export const FLAGS: readonly Flag[] = (Object.keys(OPTIONS) as OptionName[])
  .filter(option => option !== 'app' && option !== 'logger')
  .map(option => Object.assign({ option, name: flagName(option) }, form(option)))

/** `maxPayload` is `max-payload`. */
function flagName(option: string): string {
  return option.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

function form(option: Exclude<OptionName, Flagless>): Form {
  const rule: OptionRule = OPTIONS[option]
  switch (rule.kind) {
    case 'integer':
      return INTEGER
    case 'choice':
      return word('<name>')
    case 'other':
      return FORMS[option as keyof typeof FORMS]
    // no default
  }
}

function word(placeholder: string): Form {
  return { placeholder, isList: false, parse: ([value]) => value }
}

function parseInteger(digits: string | undefined): number {
  return digits !== undefined && /^\d{1,15}$/.test(digits.trim()) ? Number(digits) : Number.NaN
}
