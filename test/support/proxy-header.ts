import { parseAddress } from '../../src/address.js'

/** A header of version 2 of the PROXY protocol. With bytes for `source` these are all that follows the length. */
export function proxyV2(
  versionAndCommand: number,
  family: number,
  source: string | Buffer,
  destination = '',
  sourcePort = 0,
  destinationPort = 0,
  fields: readonly Buffer[] = [],
): Buffer {
  const fixed = Buffer.from('\r\n\r\n\0\r\nQUIT\n\0\0\0\0', 'latin1')
  let rest = source as Buffer
  if (typeof source === 'string') {
    const ports = Buffer.alloc(4)
    ports.writeUInt16BE(sourcePort, 0)
    ports.writeUInt16BE(destinationPort, 2)
    rest = Buffer.concat([addressBytes(source), addressBytes(destination), ports, ...fields])
  }
  fixed[12] = versionAndCommand
  fixed[13] = family
  fixed.writeUInt16BE(rest.length, 14)
  return Buffer.concat([fixed, rest])
}

/** An additional field: type, length, value. */
export function tlv(type: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]), bytes])
}

function addressBytes(text: string): Uint8Array {
  const bytes = parseAddress(text) as Uint8Array
  return text.includes(':') ? bytes : bytes.subarray(12)
}
