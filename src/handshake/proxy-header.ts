import { parseAddress, serializeAddress, UNIX } from '../address.js'
import { crc32c } from './crc32c.js'
import type { Endpoint } from './forwarded.js'
import { decodeLatin1 } from './latin1.js'

/*
 * The PROXY protocol, versions 1 and 2 (haproxy.org/download/3.2/doc/proxy-protocol.txt): what a proxy that does not
 * understand the bytes it passes on says about the client before them.
 */

/** Bytes of the longest header of version 1, its CR LF included (2.1). */
export const MAX_V1_BYTES = 107
/** Bytes of a header of version 2: the longest addresses need 232, the rest is for the additional fields (2.2). */
export const MAX_V2_BYTES = 4096

const V1_SIGNATURE = Uint8Array.from('PROXY ', character => character.charCodeAt(0))
const V2_SIGNATURE = Uint8Array.from('\r\n\r\n\0\r\nQUIT\n', character => character.charCodeAt(0))

const CR = 0x0d
const LF = 0x0a

/** Version 2: signature, command, family, length. */
const V2_FIXED_BYTES = 16
const VERSION_2 = 0x20
const Command = { LOCAL: 0, PROXY: 1 } as const
/** Address family and transport; of transports only streams, since that is what brought the header. */
const Family = { UNSPECIFIED: 0x00, TCP4: 0x11, TCP6: 0x21, UNIX_STREAM: 0x31 } as const
/** Bytes of both addresses and both ports. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = {
  [Family.UNSPECIFIED]: 0,
  [Family.TCP4]: 12,
  [Family.TCP6]: 36,
  [Family.UNIX_STREAM]: 216,
}
/** Additional field: CRC-32C of the whole header, with zeros in its own place (2.2.3). */
const TYPE_CRC32C = 0x03

/** 4 for version 1 over IPv4, and so on. */
const V1_ADDRESS = /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/

/**
 * Reads a PROXY header from bytes that come in any split. What follows it in the same read is left. Bytes that can't
 * be one are refused at once, not when a whole header's length of them has come.
 */
export class ProxyHeaderReader {
  /** The bytes are no PROXY header; final. */
  failed = false
  /** Once it is complete: the client. Undefined when the connection is the proxy's own, or it does not say whose. */
  source: Endpoint | undefined

  #kept = new Uint8Array(V2_FIXED_BYTES)
  #length = 0

  /**
   * Takes the bytes from `start` to `end`, which may be overwritten after the call. Not to be called again once the
   * header is complete or refused.
   *
   * @returns the offset after the header when it is complete, else -1: more is needed, or it `failed`
   */
  read(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end && !this.failed) {
      const taken = Math.min(this.#wanted(), end - at)
      this.#keep(bytes, at, at + taken)
      at += taken
      if (this.#isComplete()) return at
    }
    return -1
  }

  /** How many bytes the header has at least, beyond those that are kept. */
  #wanted(): number {
    const kept = this.#kept
    const length = this.#length
    // The first byte tells the versions apart. A header of version 1 ends with a byte that nothing announces.
    if (length === 0 || kept[0] === V1_SIGNATURE[0]) return 1
    if (length < V2_FIXED_BYTES) return V2_FIXED_BYTES - length
    return this.#v2Length - length
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start
    if (length > this.#kept.length) {
      const isV1 = this.#kept[0] === V1_SIGNATURE[0]
      const grown = new Uint8Array(isV1 ? MAX_V1_BYTES : this.#v2Length)
      grown.set(this.#kept)
      this.#kept = grown
    }
    this.#kept.set(bytes.subarray(start, end), this.#length)
    this.#length = length
  }

  get #v2Length(): number {
    return V2_FIXED_BYTES + ((this.#kept[14] << 8) | this.#kept[15])
  }

  /** Looks at what has come so far; sets `failed`, or `source` when it is all. */
  #isComplete(): boolean {
    const isV1 = this.#kept[0] === V1_SIGNATURE[0]
    const signature = isV1 ? V1_SIGNATURE : V2_SIGNATURE
    const known = Math.min(this.#length, signature.length)
    for (let i = 0; i < known; i++) {
      if (this.#kept[i] !== signature[i]) return this.#fail()
    }
    return isV1 ? this.#isV1Complete() : this.#isV2Complete()
  }

  #isV1Complete(): boolean {
    const length = this.#length
    if (this.#kept[length - 1] !== LF) return length === MAX_V1_BYTES ? this.#fail() : false
    if (this.#kept[length - 2] !== CR) return this.#fail()
    const line = decodeLatin1(this.#kept, 0, length - 2)
    // What follows is not looked at (2.1).
    if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) return true
    const [, family, from = '', to = '', fromPort, toPort] = V1_ADDRESS.exec(line) ?? []
    const source = parseAddress(from)
    const destination = parseAddress(to)
    const isIpv6 = family === '6'
    if (source === undefined || destination === undefined) return this.#fail()
    if (from.includes(':') !== isIpv6 || to.includes(':') !== isIpv6) return this.#fail()
    if (Number(fromPort) > 65_535 || Number(toPort) > 65_535) return this.#fail()
    this.source = { address: serializeAddress(source), port: Number(fromPort) }
    return true
  }

  #isV2Complete(): boolean {
    const kept = this.#kept
    if (this.#length < V2_FIXED_BYTES) return false
    const command = kept[12] - VERSION_2
    const family = kept[13]
    const addressBytes = ADDRESS_BYTES[family]
    if (command !== Command.LOCAL && command !== Command.PROXY) return this.#fail()
    if (this.#v2Length > MAX_V2_BYTES) return this.#fail()
    // Of a connection of the proxy's own nothing is looked at but the length.
    if (command === Command.LOCAL) return this.#length === this.#v2Length
    const fieldsAt = V2_FIXED_BYTES + (addressBytes ?? 0)
    if (addressBytes === undefined || fieldsAt > this.#v2Length) return this.#fail()
    if (this.#length < this.#v2Length) return false
    if (!this.#areFieldsValid(fieldsAt)) return this.#fail()
    if (family === Family.UNIX_STREAM) this.source = { address: UNIX, port: 0 }
    if (family === Family.TCP4) this.source = this.#endpoint(4)
    if (family === Family.TCP6) this.source = this.#endpoint(16)
    return true
  }

  /** The source, whose address has `size` bytes: before its port there is the destination's address (2.2). */
  #endpoint(size: number): Endpoint {
    const kept = this.#kept
    const address = new Uint8Array(16)
    if (size === 4) address[10] = address[11] = 0xff
    address.set(kept.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + size), 16 - size)
    const portAt = V2_FIXED_BYTES + 2 * size
    return { address: serializeAddress(address), port: (kept[portAt] << 8) | kept[portAt + 1] }
  }

  /** The additional fields, type, length, value: they fill the header, and its checksum, if it has one, is right. */
  #areFieldsValid(start: number): boolean {
    const kept = this.#kept
    let at = start
    while (at + 3 <= this.#length) {
      const valueAt = at + 3
      const valueEnd = valueAt + ((kept[at + 1] << 8) | kept[at + 2])
      if (valueEnd > this.#length) return false
      if (kept[at] === TYPE_CRC32C) {
        if (valueEnd - valueAt !== 4) return false
        const view = new DataView(kept.buffer)
        const sum = view.getUint32(valueAt)
        view.setUint32(valueAt, 0)
        if (crc32c(kept.subarray(0, this.#length)) !== sum) return false
      }
      at = valueEnd
    }
    return at === this.#length
  }

  #fail(): false {
    this.failed = true
    return false
  }
}
