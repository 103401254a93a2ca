// The client of examples/codec with compression against a real server, in two halves between which somebody carries the
// bytes: what is to be sent, and what the answer is. It runs as it is in Node and, bundled, in browsers.
import { overCompressedStreams } from '../../examples/codec/compressed-streams.mjs'

const words = 'shardws: añ€😀 '

const messages = [
  '',
  'Hello',
  words,
  words.repeat(4000),
  '{"name":"Ada","at":1815},'.repeat(20_000),
  new Uint8Array(),
  Uint8Array.of(1, 2, 3),
  Uint8Array.from({ length: 70_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff),
  crypto.getRandomValues(new Uint8Array(60_000)),
  new Uint8Array(1_000_000),
]

export const expected = { messages: messages.length, wrong: 0 }

const isSame = (one, other) =>
  one.length === other.length &&
  (typeof one === 'string' ? one === other : one.every((byte, i) => byte === other[i]))

/** The frames of all messages and of a Close, in base64. */
export async function outgoing() {
  let wire = ''
  const { writable } = overCompressedStreams(
    {
      readable: new ReadableStream(),
      writable: new WritableStream({
        write(bytes) {
          for (let at = 0; at < bytes.length; at += 4096) {
            wire += String.fromCharCode(...bytes.subarray(at, at + 4096))
          }
        },
      }),
    },
    'client',
  )
  const writer = writable.getWriter()
  for (const message of messages) await writer.write(message)
  await writer.close()
  return btoa(wire)
}

/** Whether a server's frames, in base64, have the same messages. */
export async function incoming(wire) {
  const bytes = Uint8Array.from(atob(wire), character => character.charCodeAt(0))
  const { readable } = overCompressedStreams(
    { readable: new Blob([bytes]).stream(), writable: new WritableStream() },
    'client',
  )
  const reader = readable.getReader()
  const facts = { messages: 0, wrong: 0 }
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return facts
    const wanted = messages[facts.messages++]
    const type = typeof wanted === 'string' ? 'text' : 'binary'
    if (value.type !== type || !isSame(value.data, wanted)) facts.wrong++
  }
}
