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

/**
 * Reads what the user entered; `localhost:9000` will do.
 *
 * @param own the address of the server that brought the page, which `/chat` is a path of
 */
export function parseAddress(text: string, own: string): ParsedAddress {
  const trimmed = text.trim()
  const complete = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `ws://${trimmed}`
  let url: URL
  try {
    url = trimmed.startsWith('/') ? new URL(trimmed, own) : new URL(complete)
    // Of a space browsers make %20, which no host has.
    if (url.hostname.includes('%')) throw new TypeError()
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

export type ParsedSubprotocols = { readonly names: readonly string[] } | { readonly fault: string }

/** Reads what the user entered as subprotocols, with spaces or commas between them (RFC 6455 4.1). */
export function parseSubprotocols(text: string): ParsedSubprotocols {
  const names = text.split(/[\s,]+/).filter(name => name !== '')
  // RFC 9110 5.6.2.
  const wrong = names.find(name => !/^[!#$%&'*+.^_`|~\da-z-]+$/i.test(name))
  if (wrong !== undefined) {
    return { fault: `“${wrong}” is no subprotocol: these are letters, digits and !#$%&'*+-.^_\`|~` }
  }
  const double = names.find((name, index) => names.indexOf(name) < index)
  return double === undefined ? { names } : { fault: `The subprotocol ${double} is there twice` }
}
