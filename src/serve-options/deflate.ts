import type { DeflateOptions } from '../options.js'
import { type Loose, MAX_INT32, other } from './rule.js'

/** `perMessageDeflate` as it is given. */
export type DeflateOption = boolean | Loose<DeflateOptions>

/** Of the settings. */
const DEFLATE_DEFAULTS: DeflateOptions = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
  threshold: 1024,
  level: 6,
  memLevel: 8,
  maxContexts: 128,
}

const DEFLATE_RANGES = new Map<string, readonly [min: number, max: number]>([
  ['serverMaxWindowBits', [8, 15]],
  ['clientMaxWindowBits', [8, 15]],
  ['threshold', [0, MAX_INT32]],
  ['level', [0, 9]],
  ['memLevel', [1, 9]],
  ['maxContexts', [1, 131_072]],
])

/** Of `perMessageDeflate`. */
export const DEFLATE_RULE = other(
  false,
  `true, false, or an object with any of serverNoContextTakeover and clientNoContextTakeover (true, false), ${Array.from(DEFLATE_RANGES, ([name, [min, max]]) => `${name} (${min} to ${max})`).join(', ')}`,
  isDeflateOptions,
  'compression of messages (permessage-deflate); alone for the defaults',
)

/** The settings, complete; undefined for no compression. */
export function resolveDeflate(given: DeflateOption): DeflateOptions | undefined {
  if (given === false) return undefined
  const values = Object.entries(given === true ? {} : given).filter(([, value]) => value !== undefined)
  return { ...DEFLATE_DEFAULTS, ...Object.fromEntries(values) }
}

function isDeflateOptions(value: unknown): boolean {
  if (typeof value === 'boolean') return true
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).every(([name, setting]) => {
    if (!Object.hasOwn(DEFLATE_DEFAULTS, name)) return false
    if (setting === undefined) return true
    const range = DEFLATE_RANGES.get(name)
    if (range === undefined) return typeof setting === 'boolean'
    return Number.isSafeInteger(setting) && setting >= range[0] && setting <= range[1]
  })
}
