import { CLOSE, text } from './frames.js'
import { openingRequest, type WireClient } from './wire-client.js'

/**
 * Brings a connection into a state. It is reset from there, once the server has read everything, or as many bytes as
 * are returned.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: most return nothing
export type Approach = (client: WireClient) => Promise<number | void> | number | void

/** Completes the opening handshake. */
export const upgraded = async (client: WireClient, target = '/'): Promise<void> => {
  client.send(openingRequest(target))
  await client.handshake()
}

/** States before the application knows of the connection. */
export const beforeOpen: Record<string, Approach> = {
  'before the head': () => {},
  'inside of the head': client => client.send(openingRequest().slice(0, 50)),
  'while the hook is pending': client => client.send(openingRequest('/?wait=600000')),
  'while frames wait for the hook': client => {
    const head = openingRequest('/?wait=600000')
    client.send(Buffer.concat([Buffer.from(head), text('early')]))
    // What comes early is counted when it is looked at.
    return head.length
  },
  'after a refusal': async client => {
    client.send(openingRequest('/?status=403'))
    await client.response()
  },
  'between HTTP requests': async client => {
    client.send('GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n')
    await client.response()
    return 0
  },
  'inside of an HTTP request': async client => {
    client.send('GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /healthz HTTP/1.1\r\nHo')
    await client.response()
    return 0
  },
}

/** States of an open WebSocket. */
export const afterOpen: Record<string, Approach> = {
  'after the 101': client => upgraded(client),
  'inside of a header': async client => {
    await upgraded(client)
    client.send(text('x'.repeat(200)).subarray(0, 3))
  },
  'inside of a payload': async client => {
    await upgraded(client)
    client.send(text('x'.repeat(200_000)).subarray(0, 100_000))
  },
  'inside of a message': async client => {
    await upgraded(client)
    client.send(Buffer.concat([text('first'), text('part', { fin: false })]))
    await client.text()
  },
  'with answers on their way': async client => {
    await upgraded(client)
    client.socket.pause()
    for (let i = 0; i < 100; i++) client.sendText('x'.repeat(1000))
  },
  'with answers that it never reads': async client => {
    await upgraded(client)
    client.sendText('!flood 1000 10000')
    await client.text()
    client.socket.pause()
  },
  'while an asynchronous handler runs': async client => {
    await upgraded(client)
    client.send(Buffer.concat([text('!later x'), text('y')]))
    await client.text()
  },
  "in the server's closing handshake": async client => {
    await upgraded(client)
    client.sendText('!close 4000')
    if ((await client.frame()).opcode !== CLOSE) throw new Error('a Close frame was expected')
  },
}
