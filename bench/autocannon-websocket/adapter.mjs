// Autocannon against a WebSocket endpoint: `autocannon({ url, setupClient: webSocket({ ... }) })`. What a message
// takes, there and back, is one request to autocannon. Durations are in microseconds, where autocannon's own are in
// milliseconds: print them with result-table.mjs.
//
// It uses what autocannon 9.0.0 does not document: `client.parser`, `conn`, `opts`, `responseMax`, `rate`, `timeout`
// and `timeoutTicker`. Pin the version; test/integration/autocannon.test.ts says whether another does.
import { randomBytes } from 'node:crypto'
import { Codec } from '../../dist/codec/codec.js'
import { compileCodec } from '../../dist/codec/module.js'
import { samplePayload, Traffic } from '../../dist/load/traffic.js'
import { Session } from './session.mjs'

const MOST_CONNECTIONS = 65_536

/**
 * @param {object} [options]
 * @param {string | Uint8Array} [options.message] what is sent and must come back; a string as text. Default: `size`
 *   bytes, random or, with `text`, ASCII
 * @param {number} [options.size] bytes, default 20
 * @param {boolean} [options.text] whether the message is text; default for a string
 * @returns {(client: object) => void} autocannon's `setupClient`
 */
export function webSocket({ message, size = 20, text = typeof message === 'string' } = {}) {
  const payload = message === undefined ? samplePayload(size, text) : Buffer.from(message)
  // Compiled once, and one read arena for all: each chunk is decoded as soon as it comes.
  const codec = new Codec(compileCodec(), MOST_CONNECTIONS)
  return client => {
    // Autocannon writes as many requests at once as its pipelining says: of opening requests there is one.
    const { pipelining } = client.opts
    client.opts.pipelining = 1
    const traffic = new Traffic(payload, text, pipelining)
    const key = randomBytes(16).toString('base64')
    client.setHeaders({
      ...client.opts.headers,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': key,
    })
    const totals = { sent: 0, received: 0 }
    takeOver(client, conn => new Session(conn, { client, codec, traffic, pipelining, key, totals }))
    client.once('done', () => client.parser.session?.end())
  }
}

/** Puts a parser in the place of autocannon's, so that all that comes goes to a session of ours. */
function takeOver(client, begin) {
  client.parser = {
    session: undefined,
    execute(chunk) {
      const { conn } = client
      // Autocannon connects again by itself when a connection is lost.
      if (this.session?.conn !== conn) {
        this.session?.end()
        this.session = begin(conn)
      }
      this.session.receive(chunk)
    },
  }
}
