/** FNV-1a with a seed, mixed; never 0. */
export function hashKey(key: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return hash ^ (hash >>> 13) || 1
}

/** Another hash, of a hash. */
export function rehash(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 8
}

/**
 * What counts as one client: an IPv4 address, also when it comes mapped into IPv6 (RFC 4291 2.5.5.2), or the /64
 * network of an IPv6 address, since that is the least that one customer gets.
 *
 * @param address as `socket.remoteAddress` gives it: canonical, possibly with a zone (`fe80::1%eth0`)
 */
export function clientKey(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped !== null) return mapped[1]

  const [plain = '', zone] = address.split('%', 2)
  const [head = '', tail] = plain.split('::', 2)
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    // An IPv4 address at the end stands for two groups.
    const length = after.length + (tail.includes('.') ? 1 : 0)
    while (groups.length + length < 8) groups.push('0')
    groups.push(...after)
  }
  // Zones tell link-local networks of equal numbers apart.
  const network = `${groups.slice(0, 4).join(':').toLowerCase()}::/64`
  return zone === undefined ? network : `${network}%${zone}`
}
