import type { Note } from './field-notes.js'
import type { HeadLine } from './head-lines.js'

/** A note, and which colour its line has. */
export interface LineNote extends Note {
  readonly kind: string
}

/** Which of the two heads. */
export type Side = 'request' | 'response'

/** By name in lower case: what it says, where that is written, and its colour where it belongs to the handshake. */
const FIELDS: Readonly<Record<string, readonly [text: string, source: string, kind?: string]>> = {
  host: [
    'Which server is meant, as one address may have many. The server refuses a request without it.',
    '9110 7.2',
  ],
  upgrade: [
    'The protocol to change to. In both heads it must be “websocket”, in any case of letters.',
    '6455 4.1',
    'opcode',
  ],
  connection: [
    'Says that Upgrade is meant for the next hop: a proxy that does not know WebSockets must not pass it on.',
    '6455 4.1',
    'opcode',
  ],
  'sec-websocket-key': [
    '16 random bytes in base64, new for each connection. Not a secret: it proves that the answer is one to this very request and that the server speaks WebSocket.',
    '6455 11.3.1',
    'key',
  ],
  'sec-websocket-accept': [
    'The key and a fixed GUID, hashed with SHA-1, in base64: below, step by step. A client that finds anything else gives up.',
    '6455 11.3.3',
    'key',
  ],
  'sec-websocket-version': [
    'The version of the protocol. There is only 13; a server that gets another one answers with 426 and its own.',
    '6455 11.3.5',
    'length',
  ],
  'sec-websocket-protocol': [
    'Subprotocols: in the request those that the client offers, in the response the one the server has chosen. This view offers one that tells the server to send it both heads.',
    '6455 11.3.4',
    'payload',
  ],
  'sec-websocket-extensions': [
    'Extensions: in the request offers, in the response what is used. permessage-deflate compresses messages; where the response has no such line nothing is compressed.',
    '6455 9.1',
    'mask',
  ],
  origin: [
    'The site whose script connects. Browsers send it and scripts can’t change it, so that a server can refuse other sites (the option origins).',
    '6455 10.2',
    'fin',
  ],
  'user-agent': ['The program that connects.', '9110 10.1.5'],
  pragma: ['For caches older than HTTP/1.1.', '9111 5.4'],
  'cache-control': ['Caches are to stay out of it.', '9111 5.2'],
  'accept-encoding': [
    'What the browser can unpack, as with any request; it says nothing about messages.',
    '9110 12.5.3',
  ],
  'accept-language': ['Languages that the user reads.', '9110 12.5.4'],
  cookie: [
    'Cookies of this host go with the handshake; they are what a server can tell its users by. The server of this page shows asterisks for them.',
    '6455 10.5',
    'length16',
  ],
  authorization: [
    'Credentials. The server of this page shows asterisks for them.',
    '9110 11.6.2',
    'length16',
  ],
  'proxy-authorization': [
    'Credentials for a proxy. The server of this page shows asterisks for them.',
    '9110 11.7.2',
    'length16',
  ],
}

/** Explains a line of a head. */
export function noteOnLine(line: HeadLine, side: Side): LineNote {
  if (line.text === '') {
    return {
      title: 'The empty line',
      value: '\\r\\n',
      text: 'The head ends here. What follows is not HTTP any more, but frames.',
      source: '9112 2.1',
      kind: 'other',
    }
  }
  if (line.name === undefined) {
    return side === 'request'
      ? {
          title: 'Request line',
          value: line.text,
          text: 'A GET of HTTP/1.1, so that it passes through what knows HTTP only. The path is up to the application.',
          source: '6455 4.1',
          kind: 'start',
        }
      : {
          title: 'Status line',
          value: line.text,
          text: '101: from here on both sides speak the protocol that Upgrade names. Any other status is a refusal.',
          source: '6455 4.2.2',
          kind: 'start',
        }
  }
  const [text, source, kind = 'other'] = FIELDS[line.name.toLowerCase()] ?? [
    'A field that the handshake does not need.',
    '9110 5.1',
  ]
  return { title: line.name, value: line.value, text, source, kind }
}
