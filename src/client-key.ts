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
