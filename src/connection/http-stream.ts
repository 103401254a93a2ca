import type { Duplex } from 'node:stream'
import type { Endpoint } from '../handshake/forwarded.js'

/* Of the streams that HTTP gets from transports, and may give back. */

/** Makes `request.socket` of HTTP say what the PROXY header has said. */
export function nameClient(stream: Duplex, { address, port }: Endpoint): void {
  Object.defineProperties(stream, { remoteAddress: { value: address }, remotePort: { value: port } })
}

/** What a stream has read and nobody has taken. */
export function takeRead(stream: Duplex): Buffer[] {
  const chunks: Buffer[] = []
  // Node 26 gives one chunk at a time.
  for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) {
    chunks.push(chunk)
  }
  return chunks
}
