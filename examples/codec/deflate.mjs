// permessage-deflate (RFC 7692) by the streams that browsers have, and Node, Deno and Bun: each message by itself, so
// the other end must not refer to messages before, and windows of 15 bits.

/** What the sender has cut off (RFC 7692 7.2.2), and an empty block that says that the stream ends here. */
const END = Uint8Array.of(0x00, 0x00, 0xff, 0xff, 0x03, 0x00)
/** Bytes that are inflated at a time: to 1 MiB at most. */
const PIECE = 1024

/**
 * The payload of a compressed message.
 *
 * @param {Uint8Array} bytes of the message
 * @returns {Promise<Uint8Array>}
 */
export async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate-raw'))
  const deflated = await new Response(stream).blob()
  // It ends by itself, so what follows is an empty block, 00 00 00 FF FF without what is cut off (RFC 7692 7.2.3.4).
  return new Uint8Array(await new Blob([deflated, Uint8Array.of(0x00)]).arrayBuffer())
}

/**
 * The bytes of a compressed message.
 *
 * @param {Uint8Array} data of a compressed message, as the decoder gives it
 * @param {number} most bytes that they may be: a message may inflate to a thousand times its size
 * @returns {Promise<Uint8Array>}
 * @throws RangeError when they are more, TypeError (in Node an Error of zlib) for what is not compressed so
 */
export async function inflate(data, most) {
  if (data.length === 0) return data
  try {
    return await inflateStream([data, END], most)
  } catch (error) {
    // It may be one that ended by itself, as those of `deflate` do: then nothing may follow.
    if (error instanceof RangeError || data.at(-1) !== 0) throw error
    return inflateStream([data.subarray(0, -1)], most)
  }
}

async function inflateStream(parts, most) {
  const { readable, writable } = new DecompressionStream('deflate-raw')
  // What is wrong with the input the reader is told, too.
  write(writable.getWriter(), parts).catch(() => {})
  const reader = readable.getReader()
  const pieces = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return new Uint8Array(await new Blob(pieces).arrayBuffer())
    length += value.length
    if (length > most) {
      await reader.cancel()
      throw new RangeError(`the message is longer than ${most} bytes`)
    }
    pieces.push(value)
  }
}

async function write(writer, parts) {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE) await writer.write(part.slice(at, at + PIECE))
  }
  await writer.close()
}
