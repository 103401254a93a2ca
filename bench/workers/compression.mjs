// Loads an echo server with compressed JSON, one message in flight on each connection. What is sent was compressed
// before; of what comes back the first connection's first messages are inflated and compared, of all the bytes counted.
import { setTimeout as delay } from 'node:timers/promises'
import { constants, inflateRawSync } from 'node:zlib'
import { processorTime } from '../usage.mjs'
import { open } from './client.mjs'
import {
  agreementOf,
  compress,
  compressedFrame,
  conversation,
  FrameReader,
  offerOf,
} from './conversation.mjs'
import { onTask } from './task.mjs'

/** Bytes of messages, many windows; after them a client begins again, with a message that refers to nothing. */
const TALK = 256 * 1024
/** Of the first connection. */
const COMPARED = 150
const WINDOW = 32_768

onTask(async ({ port, pids, seconds, warmup, connections, size, takesOver }, tell) => {
  const count = Math.ceil(TALK / size)
  const messages = conversation(size, count)
  const length = messages.reduce((sum, message) => sum + message.length, 0) / count
  const frames = new Map(
    [true, false].map(taken => [taken, compress(messages, taken).map(payload => compressedFrame(payload))]),
  )
  let echoes = 0
  let wireBytes = 0
  let agreed
  const readers = []

  const onHead = head => {
    agreed = agreementOf(head)
  }
  const connect = async () => {
    let next = 0
    let socket
    const reader = new FrameReader()
    reader.keeps = readers.length === 0
    readers.push(reader)
    const say = () => socket.write(frames.get(agreed.clientTakesOver)[next++ % count])
    const receive = bytes => {
      wireBytes += bytes.length
      for (let ended = reader.take(bytes); ended > 0; ended--) {
        echoes++
        if (reader.frames.length >= COMPARED) reader.keeps = false
        say()
      }
    }
    socket = await open({ port }, receive, { extensions: offerOf(takesOver), onHead })
    say()
  }
  for (let i = 0; i < connections; i++) await connect()

  await delay(warmup * 1000)
  echoes = wireBytes = 0
  const server = processorTime(pids)
  const start = performance.now()
  await delay(seconds * 1000)
  const elapsed = (performance.now() - start) / 1000
  const used = processorTime(pids) - server
  const measured = { echoes, wireBytes }
  compare(readers[0].frames, messages, agreed.serverTakesOver)
  tell({
    cpuUs: used / measured.echoes,
    wireBytes: measured.wireBytes / measured.echoes,
    ratio: measured.wireBytes / measured.echoes / length,
    perSecond: measured.echoes / elapsed,
    serverShare: used / (elapsed * 1e6),
  })
})

function compare(frames, messages, takesOver) {
  if (frames.length < 10) throw new Error(`only ${frames.length} messages came back on the first connection`)
  let history = Buffer.alloc(0)
  for (const [index, { compressed, payload }] of frames.entries()) {
    let data = payload
    if (compressed) {
      const input = Buffer.concat([payload, Buffer.of(0, 0, 0xff, 0xff)])
      const dictionary = takesOver && history.length > 0 ? { dictionary: history } : {}
      data = inflateRawSync(input, { finishFlush: constants.Z_SYNC_FLUSH, ...dictionary })
      history = Buffer.concat([history, data]).subarray(-WINDOW)
    }
    if (!data.equals(messages[index % messages.length])) throw new Error('a message came back changed')
  }
}
