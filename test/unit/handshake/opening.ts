import { HandshakeError } from '../../../src/errors.js'
import { type HeadLimits, HeadReader } from '../../../src/handshake/head.js'
import { Request } from '../../../src/handshake/request.js'
import { examine, type Upgrade, type UpgradePolicy } from '../../../src/handshake/upgrade.js'

/** Opening requests for tests, and what the handshake makes of them. */

export const LIMITS: HeadLimits = { maxHeaderBytes: 16384, maxHeaderLines: 100 }

export const OPEN: UpgradePolicy = { path: undefined, origins: undefined, protocols: [] }

/** The key of RFC 6455 1.3. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

const HEADERS: Readonly<Record<string, string>> = {
  Host: 'example.com',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': KEY,
}

/** What to change of a good opening request. */
export interface HeadChanges {
  line?: string
  /** Replaces headers by name; undefined leaves one out. */
  with?: Readonly<Record<string, string | undefined>>
  /** Header lines to add, as they are. */
  add?: readonly string[]
}

export function head(changes: HeadChanges = {}): string {
  const lines = [changes.line ?? 'GET /chat?room=1 HTTP/1.1']
  for (const [name, value] of Object.entries({ ...HEADERS, ...changes.with })) {
    if (value !== undefined) lines.push(`${name}: ${value}`)
  }
  lines.push(...(changes.add ?? []))
  return `${lines.join('\r\n')}\r\n\r\n`
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

/** Feeds a reader the bytes in pieces that end at `cuts`, each in a buffer that is overwritten afterwards. */
export function readInPieces(
  bytes: Uint8Array,
  cuts: readonly number[],
  limits: HeadLimits = LIMITS,
): { reader: HeadReader; end: number } {
  const reader = new HeadReader(limits)
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    const piece = new Uint8Array(to - from + 2).fill(0x7a)
    piece.set(bytes.subarray(from, to), 1)
    const end = reader.read(piece, 1, 1 + to - from)
    piece.fill(0)
    if (end !== -1) return { reader, end: from + end - 1 }
    if (reader.error !== undefined) break
    from = to
  }
  return { reader, end: -1 }
}

/** What becomes of a request whose head comes whole; fails when the head is incomplete. */
export function decide(
  text: string,
  policy: UpgradePolicy = OPEN,
  limits: HeadLimits = LIMITS,
): Upgrade | HandshakeError | undefined {
  const { reader, end } = readInPieces(bytesOf(text), [], limits)
  if (reader.error !== undefined) return reader.error
  if (end === -1) throw new Error(`the head is incomplete: ${JSON.stringify(text)}`)
  return examine(new Request(reader.head), policy)
}

/** The upgrade that a request must become. */
export function accepted(text: string, policy?: UpgradePolicy): Upgrade {
  const decision = decide(text, policy)
  if (decision === undefined) throw new Error('not an upgrade')
  if (decision instanceof HandshakeError) throw decision
  return decision
}

/** `status code` of the refusal that a request must get. */
export function refusal(text: string, policy?: UpgradePolicy, limits?: HeadLimits): string {
  const decision = decide(text, policy, limits)
  if (!(decision instanceof HandshakeError)) return decision === undefined ? 'not an upgrade' : 'accepted'
  return `${decision.status} ${decision.code}`
}
