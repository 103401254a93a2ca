import { OptionError } from '../errors.js'
import type { Role } from './role.js'

/** @throws OptionError (`ERR_OPTION`) for anything but an object with no other members than `names` */
export function checkNames(options: unknown, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new OptionError('ERR_OPTION', `options must be an object with ${names.join(', ')}`)
  }
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      throw new OptionError('ERR_OPTION', `there is no option ${name}; there are: ${names.join(', ')}`)
    }
  }
}

/** @throws OptionError (`ERR_OPTION`) */
export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number
  throw new OptionError(
    'ERR_OPTION',
    `${name} must be an integer from ${min} to ${max}, not ${typeof value === 'string' ? `'${value}'` : String(value)}`,
  )
}

/** @throws OptionError (`ERR_OPTION`) */
export function checkBoolean(name: string, value: boolean | undefined, byDefault: boolean): boolean {
  if (value === undefined) return byDefault
  if (typeof value === 'boolean') return value
  throw new OptionError('ERR_OPTION', `${name} must be true or false, not ${String(value)}`)
}

/** @throws OptionError (`ERR_OPTION`) */
export function checkRole(role: unknown): Role {
  if (role === 'server' || role === 'client') return role
  throw new OptionError('ERR_OPTION', `role must be 'server' or 'client', not ${String(role)}`)
}
