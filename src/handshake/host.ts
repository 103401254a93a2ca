/**
 * The host of `Host` and of a target in absolute form: uri-host [ ":" port ] (RFC 9110 7.2, RFC 3986 3.2.2).
 */

/** unreserved / pct-encoded / sub-delims; an IPv4 address is one of these, too. */
const REG_NAME = /^(?:[\w\-.~!$&'()*+,;=]|%[\dA-Fa-f]{2})+$/
const HEXADECIMAL = /^[\dA-Fa-f]{1,4}$/
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

const MAX_PORT = 65535

/**
 * Whether `text` is a host name, an IPv4 address or an IPv6 address in brackets, with or without a port. An empty
 * host, user information, an IPv6 zone and a port above 65535 are refused; an empty port is valid (RFC 3986 3.2.3).
 */
export function isValidHost(text: string): boolean {
  if (text.charCodeAt(0) === 0x5b) {
    const end = text.indexOf(']')
    return end !== -1 && isValidIpv6(text.slice(1, end)) && isValidPort(text, end + 1)
  }
  const colon = text.indexOf(':')
  const end = colon === -1 ? text.length : colon
  return REG_NAME.test(text.slice(0, end)) && isValidPort(text, end)
}

/** Whether what follows `at` is nothing, or a colon and a port. */
function isValidPort(text: string, at: number): boolean {
  if (at === text.length) return true
  if (text.charCodeAt(at) !== 0x3a) return false
  let port = 0
  for (let i = at + 1; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (!(digit >= 0 && digit <= 9)) return false
    port = port * 10 + digit
    if (port > MAX_PORT) return false
  }
  return true
}

/** RFC 3986 3.2.2: eight groups; `::` once, for one group of zeros or more; the last two may be an IPv4 address. */
function isValidIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const before = countGroups(halves[0], halves.length === 1)
  if (halves.length === 1) return before === 8
  const after = countGroups(halves[1], true)
  return before !== -1 && after !== -1 && before + after <= 7
}

/** How many groups of 16 bits `text` has; -1 when it has anything else. */
function countGroups(text: string, isLast: boolean): number {
  if (text === '') return 0
  const groups = text.split(':')
  let count = 0
  for (const [i, group] of groups.entries()) {
    if (HEXADECIMAL.test(group)) count += 1
    else if (isLast && i === groups.length - 1 && IPV4.test(group)) count += 2
    else return -1
  }
  return count
}
