import { Server } from './primary/server.js'
import { checkTogether, resolveOptions, type ServeOptions } from './serve-options.js'

/**
 * Starts a server: its shards first, then it listens.
 *
 * @throws OptionError (`ERR_OPTION`) for an option that can't be used, before anything is started; (`ERR_LISTEN`)
 *   where the port or host can't be; (`ERR_TLS`) for a key or certificate that can't be read or used
 * @throws ShardError (`ERR_SHARD_APP`, `ERR_SHARD_START_TIMEOUT`, ...) when the application does not load or start;
 *   its `cause` is the original error
 */
export async function serve(options: ServeOptions = {}): Promise<Server> {
  const resolved = resolveOptions(options)
  checkTogether(resolved)
  return Server.start(resolved)
}
