import type { Duplex } from 'node:stream'
import type { Endpoint } from '../handshake/forwarded.js'
import type { Environment } from './environment.js'
import { HttpInput } from './http-input.js'
import { nameClient } from './http-stream.js'
import type { Transport } from './transport.js'

/**
 * Gives a connection to HTTP.
 *
 * @param bytes what was read of it, from the head of a request on
 * @param client whom a PROXY header has named
 * @param end called when HTTP gives it back, with what was read from the request on that is not for it
 */
export function visitHttp(
  { arrears, http, memory }: Environment,
  transport: Transport,
  bytes: Buffer,
  client: Endpoint | undefined,
  end: (stream: Duplex, bytes: Buffer) => void,
): void {
  const { admission } = transport
  const peer = client ?? { address: transport.remoteAddress, port: transport.remotePort }
  const stream = transport.detach(bytes)
  if (client !== undefined) nameClient(stream, client)
  const input = new HttpInput(stream, arrears, memory)
  http.serve(stream, {
    admission,
    peer,
    input,
    end: rest => end(stream, Buffer.concat([rest, input.end()])),
  })
  input.begin()
}
