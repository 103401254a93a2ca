import { isValidToken, splitList } from './token.js'

/**
 * Parses a `Sec-WebSocket-Protocol` value: one token at least, all of them different (RFC 6455 4.1).
 *
 * @returns the subprotocols in the client's order of preference; undefined for a malformed value
 */
export function parseSubprotocols(value: string): string[] | undefined {
  const offered = splitList(value)
  if (offered.length === 0) return undefined
  for (const protocol of offered) if (!isValidToken(protocol)) return undefined
  if (offered.length > 1 && new Set(offered).size !== offered.length) return undefined
  return offered
}

/**
 * The first offered subprotocol that the server speaks; undefined when there is none, and then the connection has
 * none (RFC 6455 4.2.2).
 */
export function chooseSubprotocol(offered: readonly string[], spoken: readonly string[]): string | undefined {
  if (spoken.length === 0) return undefined
  for (const protocol of offered) {
    // The server's own string is returned: the offered one would keep the request's head alive.
    const index = spoken.indexOf(protocol)
    if (index !== -1) return spoken[index]
  }
  return undefined
}
