import { channel } from 'node:diagnostics_channel'

/**
 * What tracing tools can listen to, in the thread of the shard: documented in docs/api.md. Nobody listening costs a
 * look at a field for each event: ask `hasSubscribers` before a message is made.
 */
export const Diagnostics = {
  /** `{ socket }`, before the `open` hook. */
  OPEN: channel('shardws:connection:open'),
  /** `{ socket, code, reason }`, before the `close` hook. */
  CLOSE: channel('shardws:connection:close'),
  /** `{ status, code, remoteAddress, remotePort }`; `code` is undefined where the application refused. */
  REFUSED: channel('shardws:upgrade:refused'),
} as const
