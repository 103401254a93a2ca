import type { Role } from '../src/codec/index.js'
import { parseBytes, toHex } from './bytes.js'

export const VIEWS = ['playground', 'inspector', 'handshake'] as const
export type View = (typeof VIEWS)[number]

/** A frame that a link brings. */
export interface SharedFrame {
  readonly role: Role
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** What the part behind `#` says. */
export interface Route {
  readonly view: View
  readonly shared?: SharedFrame
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
  const parsed = parseBytes(hex.slice(0, 3 * MOST_SHARED_BYTES), 'hex')
  if ('fault' in parsed) return { view }
  const role = parameters.get('role') === 'client' ? 'client' : 'server'
  return { view, shared: { role, bytes: parsed.bytes } }
}

/** The reverse. Without the bytes where they are too many. */
export function serializeRoute({ view, shared }: Route): string {
  if (shared === undefined || shared.bytes.length === 0 || shared.bytes.length > MOST_SHARED_BYTES) {
    return `#${view}`
  }
  return `#${view}?role=${shared.role}&hex=${toHex(shared.bytes, '')}`
}
