import { OPTIONS, type OptionName, type OptionRule } from '../serve-options.js'

/** How an option is written on a command line. */
export interface Flag {
  option: OptionName
  /** Without the dashes: `max-payload`. */
  name: string
  /** What stands for the value in the help text. */
  placeholder: string
  /** Where it may stand alone, which means `true`: what follows is its value only if it looks like this. */
  value?: RegExp
  /** Whether the flag may be given several times, each adding to the ones before. */
  isList: boolean
  /** Makes the option's value; what it can't make sense of becomes something that the option does not accept. */
  parse: (texts: readonly string[]) => unknown
}

type Form = Pick<Flag, 'placeholder' | 'value' | 'isList' | 'parse'>

type OtherName = {
  [Name in OptionName]: (typeof OPTIONS)[Name]['kind'] extends 'other' ? Name : never
}[OptionName]

/** Options that are no flags: `app` is the argument, `tls` has several flags of its own, and no text is a logger. */
const FLAGLESS = ['app', 'tls', 'logger'] as const
export type Flagless = (typeof FLAGLESS)[number]

const INTEGER: Form = { placeholder: '<n>', isList: false, parse: ([text]) => parseInteger(text) }
const LIST: Form = {
  placeholder: '<a,b,...>',
  isList: true,
  // Nothing between two commas is a slip, not an element.
  parse: texts => texts.flatMap(text => text.split(',').map(element => element.trim() || undefined)),
}

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
  perMessageDeflate: {
    placeholder: '[a=n,...]',
    value: /^(?:true|false)$|^[A-Za-z]+=/,
    isList: true,
    parse: texts => {
      const text = texts.join(',')
      if (text === 'true' || text === 'false') return text === 'true'
      return Object.fromEntries(pairs(texts).map(([name, value]) => [name, parseSetting(value)]))
    },
  },
  resourceLimits: {
    placeholder: '<name=n,...>',
    isList: true,
    parse: texts => Object.fromEntries(pairs(texts).map(([name, value]) => [name, parseInteger(value)])),
  },
}

/** A flag for every other option of `serve`, in the order of the table of options. */
export const FLAGS: readonly Flag[] = (Object.keys(OPTIONS) as OptionName[])
  .filter((option): option is Exclude<OptionName, Flagless> => !FLAGLESS.some(name => name === option))
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

/** `a=1,b=2`, in one text or several. */
function pairs(texts: readonly string[]): (readonly [name: string, value: string | undefined])[] {
  return texts
    .flatMap(list => list.split(','))
    .map(pair => {
      const [name, value] = pair.split('=', 2) as [string, string | undefined]
      return [name.trim(), value]
    })
}

function parseSetting(text: string | undefined): unknown {
  const setting = text?.trim()
  return setting === 'true' || setting === 'false' ? setting === 'true' : parseInteger(text)
}

function parseInteger(digits: string | undefined): number {
  return digits !== undefined && /^\d{1,15}$/.test(digits.trim()) ? Number(digits) : Number.NaN
}
