// What people say in a chat, as JSON: the same in every run.
import { constants } from 'node:zlib'
import { createDeflater } from '../../dist/connection/zlib-stream.js'

const WORDS =
  'the be to of and a in that have it for not on with as you do at this but his by from they we say her she or an will my one all would there their what so up out if about who get which go me when make can like time no just him know take people into year your good some could them see other than then now look only come its over think also back after use two how our work first well way even new want because any these give day most us is are was'.split(
    ' ',
  )
const NAMES = [
  'Ada',
  'Grace',
  'Edsger',
  'Barbara',
  'Alan',
  'Margaret',
  'Donald',
  'Frances',
  'Niklaus',
  'Radia',
]

/** Numbers that look random and are always the same (mulberry32). */
function numbers(seed) {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return Math.floor((((value ^ (value >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

function entry(id, length, number) {
  const user = number(NAMES.length)
  const message = {
    type: 'message',
    id: 7_000_000 + id * 13 + number(13),
    room: `room-${number(20)}`,
    user: { id: 1000 + user, name: NAMES[user] },
    sentAt: new Date(Date.UTC(2026, 0, 1) + id * 61_000 + number(60_000)).toISOString(),
    text: '',
  }
  const rest = length - JSON.stringify(message).length
  while (message.text.length < rest) message.text += `${WORDS[number(WORDS.length)]} `
  message.text = message.text.slice(0, Math.max(rest, 1))
  return message
}

/** What one entry of a page has. */
const ENTRY = 260

/**
 * `count` messages of about `size` bytes: a message of the chat each, or, from 4 KiB on, a page of its history.
 *
 * @returns {Buffer[]}
 */
export function conversation(size, count) {
  const number = numbers(size)
  return Array.from({ length: count }, (_, id) => {
    if (size < 4096) return Buffer.from(JSON.stringify(entry(id, size, number)))
    const entries = Math.round(size / ENTRY)
    return Buffer.from(
      JSON.stringify(
        Array.from({ length: entries }, (_entry, i) => entry(id * entries + i, ENTRY - 1, number)),
      ),
    )
  })
}

/** The messages as a client compresses them, without the four bytes that are not sent (RFC 7692 7.2.1). */
export function compress(messages, takesOver) {
  const stream = createDeflater(15, 6, 8)
  const room = Buffer.alloc(2 * Math.max(...messages.map(({ length }) => length)) + 100)
  const compressed = messages.map(message => {
    if (!takesOver) stream.reset()
    stream.write(constants.Z_SYNC_FLUSH, message, 0, message.length, room, 0, room.length)
    return Buffer.from(room.subarray(0, room.length - stream.room - 4))
  })
  stream.close()
  return compressed
}

const KEY = [0x37, 0xfa, 0x21, 0x3d]
const COMPRESSED_TEXT = 0xc1

/** A masked frame (RFC 6455 5.2) with a compressed text in it; of less than 64 KiB. */
export function compressedFrame(payload) {
  const { length } = payload
  const head = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255]
  return Buffer.from([
    COMPRESSED_TEXT,
    ...head,
    ...KEY,
    ...payload.map((byte, index) => byte ^ KEY[index & 3]),
  ])
}

/** Finds the ends of a server's frames in what comes, and, as long as it is asked to, keeps their payloads. */
export class FrameReader {
  /** Bytes of payloads so far. */
  bytes = 0
  /** `{ compressed, payload }` of the frames, while `keeps`. */
  frames = []
  keeps = false
  #header = []
  #left = 0
  #parts = []

  /** @returns how many frames ended in `bytes` */
  take(bytes) {
    let ended = 0
    let at = 0
    while (at < bytes.length || (this.#left === 0 && this.#isHeaderWhole())) {
      if (!this.#isHeaderWhole()) {
        this.#header.push(bytes[at++])
        if (this.#isHeaderWhole()) this.#left = this.#length()
        if (this.#left > 0 || !this.#isHeaderWhole()) continue
      }
      const end = Math.min(bytes.length, at + this.#left)
      if (this.keeps) this.#parts.push(Buffer.from(bytes.subarray(at, end)))
      this.#left -= end - at
      this.bytes += end - at
      at = end
      if (this.#left > 0) break
      if (this.keeps) {
        this.frames.push({ compressed: (this.#header[0] & 0x40) !== 0, payload: Buffer.concat(this.#parts) })
        this.#parts = []
      }
      this.#header = []
      ended++
    }
    return ended
  }

  #isHeaderWhole() {
    const { length } = this.#header
    return length >= 2 && length === (this.#header[1] === 126 ? 4 : this.#header[1] === 127 ? 10 : 2)
  }

  #length() {
    const [, short, ...long] = this.#header
    return short < 126 ? short : long.reduce((sum, byte) => sum * 256 + byte, 0)
  }
}

/** What a client offers. */
export function offerOf(takesOver) {
  return takesOver
    ? 'permessage-deflate'
    : 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
}

/** What a server has agreed to, of the head of its response. */
export function agreementOf(head) {
  const [, extensions] = /\r\nsec-websocket-extensions:\s*(.*?)\r\n/i.exec(head) ?? []
  if (extensions === undefined) throw new Error('the server does not compress')
  return {
    clientTakesOver: !extensions.includes('client_no_context_takeover'),
    serverTakesOver: !extensions.includes('server_no_context_takeover'),
  }
}
