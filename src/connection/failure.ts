import type { App } from '../app.js'
import type { Log } from '../log.js'
import type { Socket } from '../socket.js'

/**
 * Tells the application's `error` hook, or else the log, that a handler failed. It never throws, whatever the hook
 * does: it is called from where an exception would end the shard.
 *
 * @param what for the log, such as `the upgrade hook failed`
 */
export function reportFailure(
  app: App<unknown>,
  log: Log,
  what: string,
  error: unknown,
  socket?: Socket<unknown>,
): void {
  const facts = { event: 'handler.failed', connection: socket?.id }
  if (app.error === undefined) return log('error', what, error, facts)
  const failed = (second: unknown): void => {
    log('error', what, error, facts)
    log('error', 'then the error hook failed', second, facts)
  }
  try {
    const result = app.error(error, socket)
    if (isPending(result)) Promise.resolve(result).then(undefined, failed)
  } catch (second) {
    failed(second)
  }
}

/** Whether a handler returned a promise, or something that can be waited for like one. */
export function isPending(result: unknown): result is PromiseLike<unknown> {
  return (
    typeof result === 'object' && result !== null && typeof (result as { then?: unknown }).then === 'function'
  )
}
