import { type App, defineApp } from '../app.js'
import { builtInApp } from '../built-in-app.js'
import { OptionError } from '../errors.js'
import type { Log } from '../log.js'

/**
 * Imports the application module, in the shard that will run it.
 *
 * @param url undefined for the built-in application
 * @throws whatever importing throws, and OptionError (`ERR_APP`) for a module without an application
 */
export async function loadApp(url: string | undefined, log: Log): Promise<App<unknown>> {
  if (url === undefined) return builtInApp(log)
  const module = (await import(url)) as { default?: unknown }
  const app = module.default
  if (typeof app !== 'object' || app === null) {
    throw new OptionError(
      'ERR_APP',
      `${url} has no default export that is an application: write \`export default defineApp({ ... })\``,
    )
  }
  return defineApp(app as App<unknown>)
}
