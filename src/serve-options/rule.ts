import { inspect } from 'node:util'
import { OptionError } from '../errors.js'

/** Options as they are given. */
export type Loose<Options> = { [Name in keyof Options]?: Options[Name] | undefined }

/** How an option is checked and described. */
export type OptionRule =
  | { kind: 'integer'; default: number; min: number; max: number; text: string }
  | { kind: 'choice'; default: string; choices: readonly string[]; text: string }
  /** `wants` says what it must be where `accepts` says it is not. */
  | { kind: 'other'; default: unknown; wants: string; accepts: (value: unknown) => boolean; text: string }

export const MAX_INT32 = 2 ** 31 - 1
export const DAY_MS = 86_400_000

export function integer(value: number, min: number, max: number, text: string) {
  return { kind: 'integer', default: value, min, max, text } as const
}

export function choice<Choice extends string>(value: Choice, choices: readonly Choice[], text: string) {
  return { kind: 'choice', default: value, choices, text } as const
}

export function other(value: unknown, wants: string, test: (value: unknown) => boolean, text: string) {
  return { kind: 'other', default: value, wants, accepts: test, text } as const
}

/** What an option may be, in words: `an integer from 1 to 1024`, `one of close, drop`. */
export function describeRule(rule: OptionRule): string {
  if (rule.kind === 'integer') return `an integer from ${rule.min} to ${rule.max}`
  return rule.kind === 'choice' ? `one of ${rule.choices.join(', ')}` : rule.wants
}

/** @throws OptionError (`ERR_OPTION`) when the option `name` must not be `value` */
export function checkOption(name: string, rule: OptionRule, value: unknown): void {
  if (accepts(rule, value)) return
  const shown = inspect(value, { depth: 0, maxStringLength: 100, breakLength: Infinity })
  throw new OptionError('ERR_OPTION', `${name} must be ${describeRule(rule)}, not ${shown}`)
}

function accepts(rule: OptionRule, value: unknown): boolean {
  if (rule.kind === 'integer') {
    return Number.isSafeInteger(value) && (value as number) >= rule.min && (value as number) <= rule.max
  }
  return rule.kind === 'choice' ? rule.choices.includes(value as string) : rule.accepts(value)
}

export function isNonEmptyString(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0
}

/** A path of an URL, without a query. */
export function isPath(value: unknown): boolean {
  return typeof value === 'string' && /^\/[!-"$->@-~]*$/.test(value)
}

export function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(element => typeof element === 'string')
}
