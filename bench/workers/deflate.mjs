// What compresses and inflates messages, by itself: the ways to use node:zlib, and what is written in JavaScript.
import { promisify } from 'node:util'
import { constants, createDeflateRaw, createInflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib'
import { createDeflater, createInflater } from '../../dist/connection/zlib-stream.js'
import { conversation } from './conversation.mjs'
import { onTask } from './task.mjs'

const { Z_SYNC_FLUSH } = constants
const TAIL = Buffer.of(0, 0, 0xff, 0xff)
const ZERO = Buffer.of(0)
/** An empty block that ends a stream. */
const LAST_BLOCK = Buffer.of(1, 0, 0, 0xff, 0xff)
const LEVEL = 6
const LEAST_MS = 300

/** Work on one message that is given what came before as a dictionary; it returns its result, and the message. */
function remember(takesOver, work) {
  let history = Buffer.alloc(0)
  return input => {
    const dictionary = takesOver && history.length > 0 ? { dictionary: history } : {}
    const [result, data] = work(input, { finishFlush: Z_SYNC_FLUSH, level: LEVEL, ...dictionary })
    history = Buffer.concat([history, data]).subarray(-32_768)
    return result
  }
}

/** Each makes `{ deflate, inflate }` for one connection; without context take-over where `takesOver` is false. */
const LIBRARIES = {
  /** What shardws does. */
  synchronous(takesOver, largest) {
    const deflater = createDeflater(15, LEVEL, 8)
    const inflater = createInflater(15)
    const output = Buffer.alloc(2 * largest + 100)
    const call = (stream, input) => {
      if (!takesOver) stream.reset()
      stream.write(Z_SYNC_FLUSH, input, 0, input.length, output, 0, output.length)
      return Buffer.from(output.subarray(0, output.length - stream.room))
    }
    return { deflate: input => call(deflater, input), inflate: input => call(inflater, input) }
  },

  /** What ws does: a stream of each connection, whose work is done by other threads. */
  streams(takesOver) {
    const converse = stream => {
      const chunks = []
      stream.on('data', chunk => chunks.push(chunk))
      const flush = promisify(stream.flush.bind(stream))
      return async input => {
        if (!takesOver) stream.reset()
        stream.write(input)
        await flush(Z_SYNC_FLUSH)
        return Buffer.concat(chunks.splice(0))
      }
    }
    return {
      deflate: converse(createDeflateRaw({ level: LEVEL, flush: Z_SYNC_FLUSH })),
      inflate: converse(createInflateRaw()),
    }
  },

  /** A stream of zlib for each message; what came before is a dictionary. */
  functions(takesOver) {
    return {
      deflate: remember(takesOver, (input, options) => [deflateRawSync(input, options), input]),
      inflate: remember(takesOver, (input, options) => Array(2).fill(inflateRawSync(input, options))),
    }
  },

  /**
   * A stream that ends for each message, and what came before as a dictionary: what `flush(true)` of its streams gives
   * is not always what zlib takes (0.8.3). Such a message has a byte 00 at its end (RFC 7692 7.2.3.4).
   */
  async fflate(takesOver) {
    const { deflateSync: deflate, inflateSync: inflate } = await import('fflate')
    return {
      deflate: remember(takesOver, (input, options) => [
        Buffer.concat([deflate(input, options), ZERO, TAIL]),
        input,
      ]),
      inflate: remember(takesOver, (input, options) =>
        Array(2).fill(Buffer.from(inflate(input.subarray(0, -5), options))),
      ),
    }
  },

  /** Compresses with a stream of the connection; to inflate, what came before is a dictionary: it gives nothing before the end. */
  async pako(takesOver) {
    const { default: pako } = await import('pako')
    let chunks = []
    const make = () => {
      const stream = new pako.Deflate({ level: LEVEL, raw: true })
      stream.onData = chunk => chunks.push(chunk)
      return stream
    }
    let stream = make()
    const deflate = input => {
      if (!takesOver) stream = make()
      stream.push(input, Z_SYNC_FLUSH)
      const result = Buffer.concat(chunks)
      chunks = []
      return result
    }
    const inflate = (input, options) =>
      Buffer.from(pako.inflateRaw(Buffer.concat([input, LAST_BLOCK]), options))
    return { deflate, inflate: remember(takesOver, (...given) => Array(2).fill(inflate(...given))) }
  },
}

async function timed(inputs, work) {
  const results = []
  for (const input of inputs) results.push(await work(input))
  return results
}

onTask(async ({ library, size, takesOver, count }, tell) => {
  const messages = conversation(size, count)
  const largest = Math.max(...messages.map(({ length }) => length))
  let best = { deflateUs: Number.POSITIVE_INFINITY, inflateUs: Number.POSITIVE_INFINITY }
  let bytes = 0
  const end = performance.now() + LEAST_MS
  for (let run = 0; run < 3 || performance.now() < end; run++) {
    const { deflate, inflate } = await LIBRARIES[library](takesOver, largest)
    const start = process.cpuUsage()
    const compressed = await timed(messages, deflate)
    const middle = process.cpuUsage(start)
    // As it is on the wire, where the tail is put back.
    for (const message of compressed) {
      if (!message.subarray(-4).equals(TAIL)) throw new Error('the message has no tail')
    }
    const second = process.cpuUsage()
    const inflated = await timed(compressed, inflate)
    const last = process.cpuUsage(second)
    for (const [index, message] of inflated.entries()) {
      if (!messages[index].equals(message)) throw new Error('a message came back changed')
    }
    const us = ({ user, system }) => (user + system) / count
    best = {
      deflateUs: Math.min(best.deflateUs, us(middle)),
      inflateUs: Math.min(best.inflateUs, us(last)),
    }
    bytes = compressed.reduce((sum, { length }) => sum + length - TAIL.length, 0) / count
  }
  tell({ ...best, bytes })
})
