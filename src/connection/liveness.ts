import type { ConnectionOptions } from '../options.js'

/**
 * When a silent peer is pinged and when it is given up. Times are milliseconds since its last byte; 0 for an option
 * means never.
 */

/** Whether a Ping is due; one that would come after the end is none. */
export function isPingDue(options: ConnectionOptions, idleMs: number, pinged: boolean): boolean {
  const { idlePingMs, idleTimeoutMs } = options
  if (pinged || idlePingMs === 0 || idleMs < idlePingMs) return false
  return idleTimeoutMs === 0 || idlePingMs < idleTimeoutMs
}

export function isGivenUp(options: ConnectionOptions, idleMs: number): boolean {
  return options.idleTimeoutMs > 0 && idleMs >= options.idleTimeoutMs
}

/** After how much silence to look again; Infinity for never. */
export function nextLook(options: ConnectionOptions, idleMs: number, pinged: boolean): number {
  const { idlePingMs, idleTimeoutMs } = options
  const timeout = idleTimeoutMs > 0 ? idleTimeoutMs : Number.POSITIVE_INFINITY
  if (idlePingMs === 0) return timeout
  // A peer that is never given up may say something after its Ping, and be silent again.
  return Math.min(timeout, pinged ? idleMs + idlePingMs : idlePingMs)
}
