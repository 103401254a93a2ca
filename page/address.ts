/**
 * Where the server that brought the page has its WebSocket.
 *
 * @param page the page's own address
 * @param path the path of the WebSocket; empty for any, then it is the one of the page
 */
export function ownAddress(page: string, path: string): string {
  const url = new URL(path === '' ? '.' : path, page)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  url.search = ''
  url.hash = ''
  return url.href
}

export type ParsedAddress = { readonly url: string } | { readonly fault: string }

/** Reads what the user entered; `localhost:9000` will do. */
export function parseAddress(text: string): ParsedAddress {
  const trimmed = text.trim()
  const complete = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `ws://${trimmed}`
  let url: URL
  try {
    url = new URL(complete)
  } catch {
    return { fault: 'This is no address: it should look like ws://localhost:9000/' }
  }
  if (url.protocol === 'http:') url.protocol = 'ws:'
  if (url.protocol === 'https:') url.protocol = 'wss:'
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    return { fault: `Addresses of WebSockets begin with ws:// or wss://, not ${url.protocol}//` }
  }
  // RFC 6455 3: there are no fragments.
  url.hash = ''
  return { url: url.href }
}

/** Splits what the user entered as subprotocols. */
export function parseSubprotocols(text: string): string[] {
  return text.split(/[\s,]+/).filter(name => name !== '')
}
