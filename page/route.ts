import { parseBytes, toHex } from './bytes.js'
import type { Sample } from './frame-layout.js'

export const VIEWS = ['playground', 'inspector', 'handshake'] as const
export type View = (typeof VIEWS)[number]

/** What the part behind `#` says. */
export interface Route {
  readonly view: View
  /** Bytes that a link brings. */
  readonly shared?: Sample
}

/** Bytes that fit into a link; some programs cut longer ones. */
export const MOST_SHARED_BYTES = 1024

/** Reads `#inspector?role=server&hex=8100`; what it can't read is the first view. */
export function parseRoute(hash: string): Route {
  const [name, query = ''] = hash.replace(/^#/, '').split('?')
  const view = VIEWS.find(candidate => candidate === name) ?? 'playground'
  const parameters = new URLSearchParams(query)
  const hex = parameters.get('hex')
  if (view !== 'inspector' || hex === null) return { view }
  const { bytes, fault } = parseBytes(hex, 'hex', MOST_SHARED_BYTES)
  if (fault !== undefined) return { view }
  const role = parameters.get('role') === 'client' ? 'client' : 'server'
  return { view, shared: { role, bytes, isLimited: parameters.get('limit') !== 'no' } }
}

/** The reverse. Without the bytes where they are too many, or not all that there were. */
export function serializeRoute({ view, shared }: Route): string {
  if (shared === undefined) return `#${view}`
  const { role, bytes, isLimited = true, isCut = false } = shared
  if (bytes.length === 0 || bytes.length > MOST_SHARED_BYTES || isCut) return `#${view}`
  return `#${view}?role=${role}${isLimited ? '' : '&limit=no'}&hex=${toHex(bytes, '')}`
}
