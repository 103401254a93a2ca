import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { OptionError } from './errors.js'
import type { ConnectionOptions } from './options.js'
import { CONNECTION_RULES } from './serve-options/connection.js'
import { type DeflateOption, resolveDeflate } from './serve-options/deflate.js'
import { PRIMARY_RULES, type PrimaryOptions } from './serve-options/primary.js'
import { checkOption, describeRule, type Loose, type OptionRule } from './serve-options/rule.js'
import { checkTlsOptions } from './tls-options.js'

export type { OptionRule, PrimaryOptions }

/** Every option of `serve`. What is left out, or undefined, has its default. */
export interface ServeOptions
  extends Loose<PrimaryOptions>,
    Loose<Omit<ConnectionOptions, 'perMessageDeflate'>> {
  /** Compression of messages (RFC 7692). `true` is `{}`. Default `false`: none. */
  perMessageDeflate?: DeflateOption | undefined
}

/** The one table of defaults and ranges; help texts and documentation are made from it or checked against it. */
export const OPTIONS = { ...PRIMARY_RULES, ...CONNECTION_RULES }

export type OptionName = keyof typeof OPTIONS

/** Everything `serve` needs, complete and checked. */
export interface ResolvedOptions extends Omit<PrimaryOptions, 'app'> {
  /** URL of the application module. */
  app: string | undefined
  connection: ConnectionOptions
  /** Which limits of one client were set, and so are for connections from this machine itself as well. */
  localLimits: Readonly<Record<'maxConnectionsPerIp' | 'maxHandshakeRatePerIp', boolean>>
}

/**
 * Checks options and fills in the defaults.
 *
 * @throws OptionError (`ERR_OPTION`) that names the option, its value and what it may be
 */
export function resolveOptions(options: ServeOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw new OptionError('ERR_OPTION', `the options must be an object, not ${inspect(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      const known = Object.keys(OPTIONS).join(', ')
      throw new OptionError('ERR_OPTION', `there is no option ${name}; there are: ${known}`)
    }
  }
  const primary = complete(PRIMARY_RULES, options) as unknown as PrimaryOptions
  const connection = complete(CONNECTION_RULES, options) as unknown as ConnectionOptions
  if (primary.tls !== undefined) checkTlsOptions(primary.tls)
  return {
    ...primary,
    app: primary.app === undefined ? undefined : appUrl(primary.app),
    localLimits: {
      maxConnectionsPerIp: options.maxConnectionsPerIp !== undefined,
      maxHandshakeRatePerIp: options.maxHandshakeRatePerIp !== undefined,
    },
    connection: {
      ...connection,
      // They are sent to threads as they are now.
      origins: connection.origins && [...connection.origins],
      protocols: [...connection.protocols],
      trustProxy: [...connection.trustProxy],
      perMessageDeflate: resolveDeflate(options.perMessageDeflate ?? false),
    },
  }
}

/**
 * Checks what options say together.
 *
 * @throws OptionError (`ERR_OPTION`)
 */
export function checkTogether({ connection }: ResolvedOptions): void {
  if (connection.proxyProtocol && connection.trustProxy.length === 0) {
    throw new OptionError(
      'ERR_OPTION',
      "proxyProtocol needs trustProxy, the addresses of the proxies: with it everybody else's connections are closed",
    )
  }
}

/** What an option may be, in words. */
export function describeRange(name: OptionName): string {
  return describeRule(OPTIONS[name])
}

/** The options that `rules` are about, each with its value or its default. */
function complete(rules: Readonly<Record<string, OptionRule>>, options: ServeOptions): object {
  const given = options as Readonly<Record<string, unknown>>
  const values = Object.entries(rules).map(([name, rule]) => {
    const value = given[name]
    if (value === undefined) return [name, rule.default]
    checkOption(name, rule, value)
    return [name, value]
  })
  return Object.fromEntries(values)
}

/** Paths are looked for at once, since a thread's "cannot find module" says less. */
function appUrl(app: string | URL): string {
  if (typeof app === 'string' && /^(?:data|node):/.test(app)) return app
  const isUrl = app instanceof URL || app.startsWith('file:')
  const url = isUrl ? new URL(app) : pathToFileURL(resolve(app))
  if (url.protocol !== 'file:') return url.href
  const path = fileURLToPath(url)
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new OptionError('ERR_OPTION', `app must be the path of a module; there is no file ${path}`)
  }
  return url.href
}
