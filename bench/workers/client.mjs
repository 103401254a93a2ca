// A client that is as light as Node's sockets allow: the opening handshake, then bytes. All share one buffer.
import { createConnection } from 'node:net'

const buffer = Buffer.allocUnsafe(65_536)
const REQUEST =
  'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
/** Of that key (RFC 6455 1.3). */
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

/** A masked frame (RFC 6455 5.2) of at most 125 bytes. */
export function smallFrame(opcode, payload, key = [0x37, 0xfa, 0x21, 0x3d]) {
  const masked = payload.map((byte, index) => byte ^ key[index & 3])
  return Buffer.from([0x80 | opcode, 0x80 | payload.length, ...key, ...masked])
}

/**
 * Opens a connection.
 *
 * @param {{ port: number, localAddress?: string }} to
 * @param {(bytes: Buffer) => void} [receive] what comes after the handshake; valid during the call
 * @param {{ extensions?: string, onHead?: (head: string) => void }} [handshake] what to offer, and the answer to it
 * @returns {Promise<import('node:net').Socket>}
 */
export function open(to, receive = () => {}, { extensions, onHead } = {}) {
  return new Promise((resolve, reject) => {
    let head = ''
    let isOpen = false
    const callback = length => {
      if (isOpen) receive(buffer.subarray(0, length))
      else {
        head += buffer.latin1Slice(0, length)
        const end = head.indexOf('\r\n\r\n') + 4
        if (end < 4) return true
        if (!head.startsWith('HTTP/1.1 101') || !head.includes(ACCEPT)) {
          reject(new Error(`the server answered ${JSON.stringify(head.slice(0, 100))}`))
          return false
        }
        isOpen = true
        onHead?.(head.slice(0, end))
        resolve(socket)
        const rest = head.length - end
        if (rest > 0) receive(buffer.subarray(length - rest, length))
      }
      return true
    }
    const socket = createConnection({ host: '127.0.0.1', noDelay: true, ...to, onread: { buffer, callback } })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the server ended the connection')))
    const offer = extensions === undefined ? '' : `Sec-WebSocket-Extensions: ${extensions}\r\n`
    socket.write(`${REQUEST}${offer}\r\n`)
  })
}
