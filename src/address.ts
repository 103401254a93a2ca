/**
 * IP addresses as text and as bytes. IPv4 is kept as the IPv6 addresses it is mapped to (RFC 4291 2.5.5.2), so that an
 * address is the same however a socket or a proxy writes it.
 */

/** 16 bytes in network order. */
export type AddressBytes = Uint8Array

const MAPPED_PREFIX = 12
const BITS = 128
/** Bits that come before those of an IPv4 address. */
const IPV4_OFFSET = 96

/**
 * Parses an IPv4 address (four decimal numbers without leading zeros) or an IPv6 address (RFC 4291 2.2). No zone, no
 * brackets, no port.
 *
 * @returns undefined for anything else
 */
export function parseAddress(text: string): AddressBytes | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** Whether the address is IPv4, mapped into IPv6. */
export function isIpv4(bytes: AddressBytes): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return bytes[10] === 0xff && bytes[11] === 0xff
}

/** The canonical text: dotted for IPv4, that of RFC 5952 for IPv6. */
export function serializeAddress(bytes: AddressBytes): string {
  if (isIpv4(bytes)) return bytes.subarray(MAPPED_PREFIX).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] << 8) | bytes[2 * i + 1])
  // The longest run of zeros, the first of equal ones, is left out; a single zero is not (RFC 5952 4.2).
  let best = -1
  let bestLength = 1
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && groups[start + length] === 0) length++
    if (length > bestLength) {
      best = start
      bestLength = length
    }
  }
  const texts = groups.map(group => group.toString(16))
  if (best < 0) return texts.join(':')
  return `${texts.slice(0, best).join(':')}::${texts.slice(best + bestLength).join(':')}`
}

function parseIpv4(text: string): AddressBytes | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (match === null) return undefined
  const bytes = new Uint8Array(16)
  bytes[10] = bytes[11] = 0xff
  for (let i = 0; i < 4; i++) {
    const digits = match[i + 1]
    // A leading zero is octal for some parsers.
    if (Number(digits) > 255 || (digits.length > 1 && digits.startsWith('0'))) return undefined
    bytes[MAPPED_PREFIX + i] = Number(digits)
  }
  return bytes
}

function parseIpv6(text: string): AddressBytes | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0], halves.length === 1)
  const tail = halves.length === 1 ? [] : groupsOf(halves[1], true)
  if (head === undefined || tail === undefined) return undefined
  const length = head.length + tail.length
  // `::` stands for one group at least.
  if (halves.length === 1 ? length !== 8 : length > 7) return undefined
  const bytes = new Uint8Array(16)
  const put = (groups: readonly number[], at: number): void => {
    for (const [i, group] of groups.entries()) {
      bytes[2 * (at + i)] = group >> 8
      bytes[2 * (at + i) + 1] = group & 0xff
    }
  }
  put(head, 0)
  put(tail, 8 - tail.length)
  return bytes
}

/** @param isLast an IPv4 address may be at the end, for the last two groups */
function groupsOf(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (/^[\da-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16))
      continue
    }
    const ipv4 = isLast && i === parts.length - 1 ? parseIpv4(part) : undefined
    if (ipv4 === undefined) return undefined
    groups.push((ipv4[12] << 8) | ipv4[13], (ipv4[14] << 8) | ipv4[15])
  }
  return groups
}

/** The name that stands for whoever connects to a Unix domain socket: there is no address. */
export const UNIX = 'unix'

/** Whether `address`, as a socket says it, is one that only this machine itself comes from: loopback, or `unix`. */
export function isLocal(address: string): boolean {
  return address === UNIX || address === '::1' || /^(?:::ffff:)?127\./i.test(address)
}

interface Network {
  readonly bytes: AddressBytes
  readonly bits: number
}

/** A list of addresses and networks (`10.0.0.0/8`, `2001:db8::/32`), and `unix`. */
export class AddressSet {
  readonly #networks: Network[] = []
  readonly #hasUnix: boolean

  /** @param texts for each of which `isValidNetwork` holds */
  constructor(texts: readonly string[]) {
    this.#hasUnix = texts.includes(UNIX)
    for (const text of texts) {
      const network = parseNetwork(text)
      if (network !== undefined) this.#networks.push(network)
    }
  }

  get isEmpty(): boolean {
    return !this.#hasUnix && this.#networks.length === 0
  }

  /** @param address as a socket says it, possibly with a zone, which is not looked at; or `unix` */
  has(address: string): boolean {
    if (address === UNIX) return this.#hasUnix
    if (this.#networks.length === 0) return false
    const bytes = parseAddress(address.split('%', 1)[0])
    return bytes !== undefined && this.#networks.some(network => isWithin(bytes, network))
  }
}

/** Whether `text` is an address, a network in CIDR form without bits beyond its prefix, or `unix`. */
export function isValidNetwork(text: string): boolean {
  return text === UNIX || parseNetwork(text) !== undefined
}

function parseNetwork(text: string): Network | undefined {
  const [address, prefix, ...more] = text.split('/')
  const bytes = parseAddress(address)
  if (bytes === undefined || more.length > 0) return undefined
  if (prefix === undefined) return { bytes, bits: BITS }
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefix)) return undefined
  const bits = Number(prefix) + (address.includes(':') ? 0 : IPV4_OFFSET)
  if (bits > BITS) return undefined
  const network = { bytes, bits }
  // 10.0.0.1/8 is a slip: whoever wrote it meant one address, or another length.
  for (let bit = bits; bit < BITS; bit++)
    if (((bytes[bit >> 3] >> (7 - (bit & 7))) & 1) === 1) return undefined
  return network
}

function isWithin(bytes: AddressBytes, network: Network): boolean {
  const whole = network.bits >> 3
  for (let i = 0; i < whole; i++) if (bytes[i] !== network.bytes[i]) return false
  const rest = network.bits & 7
  return rest === 0 || (bytes[whole] ^ network.bytes[whole]) >> (8 - rest) === 0
}
