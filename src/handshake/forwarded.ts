import { type AddressSet, parseAddress, serializeAddress } from '../address.js'
import { isValidToken, splitList, tokenEnd, whiteSpaceEnd } from './token.js'

/** Who is at the other end of a connection, as far as it is known. */
export interface Endpoint {
  /** An IP address, `unix` for a Unix domain socket, or empty. */
  readonly address: string
  /** 0 where it is not known. */
  readonly port: number
}

const COMMA = 0x2c
const SEMICOLON = 0x3b
const EQUALS = 0x3d
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** A hop that says nothing about who it got the request from, or does not tell (RFC 7239 6.2, 6.3). */
const HIDDEN: Endpoint = { address: '', port: 0 }

/**
 * The client of a request: each trusted hop, from `peer` on, is believed about who it got the request from, and the
 * first one that is not trusted is the client. If a trusted hop does not tell, the client is that hop.
 *
 * @param value of the header that the proxies write: another one may be the client's own invention
 * @param header its name
 * @returns undefined when a hop that must be believed wrote what can't be read
 */
export function findClient(
  value: string,
  header: 'x-forwarded-for' | 'forwarded',
  peer: Endpoint,
  trusted: AddressSet,
): Endpoint | undefined {
  const hops = header === 'forwarded' ? parseForwarded(value) : splitList(value)
  if (hops === undefined) return undefined
  let client = peer
  for (let i = hops.length - 1; i >= 0 && trusted.has(client.address); i--) {
    const hop = hops[i]
    // Of X-Forwarded-For a client may have invented the beginning: what nobody believes is not even parsed.
    const endpoint = parseNode(hop)
    if (endpoint === undefined) return undefined
    if (endpoint === HIDDEN) return client
    client = endpoint
  }
  return client
}

/**
 * The `for` parameters of a `Forwarded` header (RFC 7239 4), unquoted; empty for an element without. Parameters may
 * stand once in each element.
 *
 * @returns undefined for a malformed value
 */
export function parseForwarded(value: string): string[] | undefined {
  const nodes: string[] = []
  let at = whiteSpaceEnd(value, 0)
  while (at < value.length) {
    if (value.charCodeAt(at) === COMMA) {
      at = whiteSpaceEnd(value, at + 1)
      continue
    }
    const names = new Set<string>()
    let node = ''
    for (;;) {
      const nameEnd = tokenEnd(value, at)
      if (nameEnd > at) {
        const name = value.slice(at, nameEnd).toLowerCase()
        if (value.charCodeAt(nameEnd) !== EQUALS || names.has(name)) return undefined
        names.add(name)
        const end = valueEnd(value, nameEnd + 1)
        if (end < 0) return undefined
        if (name === 'for') node = unquote(value.slice(nameEnd + 1, end))
        at = end
      }
      at = whiteSpaceEnd(value, at)
      if (value.charCodeAt(at) !== SEMICOLON) break
      at = whiteSpaceEnd(value, at + 1)
    }
    nodes.push(node)
    if (at < value.length && value.charCodeAt(at) !== COMMA) return undefined
  }
  return nodes
}

/** Where the token or quoted string (RFC 9110 5.6.4) that begins at `start` ends, -1 when there is none. */
function valueEnd(text: string, start: number): number {
  if (text.charCodeAt(start) !== QUOTE) {
    const end = tokenEnd(text, start)
    return end === start ? -1 : end
  }
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at + 1
    if (code === BACKSLASH) at++
  }
  return -1
}

function unquote(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(.)/gs, '$1') : text
}

/**
 * Parses a hop: an address, alone or with a port; IPv6 in brackets where there is a port (RFC 7239 6), without where
 * there is none, as X-Forwarded-For has it.
 */
function parseNode(node: string): Endpoint | undefined {
  if (node === '' || node.toLowerCase() === 'unknown') return HIDDEN
  // Names that a proxy made up, and the ports of addresses, too.
  if (node.startsWith('_')) return isValidToken(node.split(':', 1)[0]) ? HIDDEN : undefined
  const match = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::(\d{1,5}|_[\w.-]+))?$/i.exec(node)
  const [, ipv6, ipv4, port = '0'] = match ?? [undefined, node]
  // What is in brackets is IPv6, what is not and has a port is not.
  if (ipv6 !== undefined && !ipv6.includes(':')) return undefined
  const bytes = parseAddress(ipv6 ?? ipv4 ?? '')
  if (bytes === undefined) return undefined
  const number = port.startsWith('_') ? 0 : Number(port)
  return number > 65_535 ? undefined : { address: serializeAddress(bytes), port: number }
}
