// 100,000 random mutations of valid streams, over sockets: the server answers each as the reference decoder says.
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { frameError } from '../../../src/errors.js'
import { ReferenceDecoder } from '../../reference/decoder.js'
import { many } from '../../support/attackers.js'
import { BINARY, CLOSE, frame, PING, PONG, TEXT } from '../../support/frames.js'
import { memoryBound } from '../../support/memory-bound.js'
import { flip, mutate } from '../../support/mutations.js'
import { parseServerFrames } from '../../support/peer-frames.js'
import { Random } from '../../support/random.js'
import { setStage } from '../../support/stage.js'
import { openingRequest } from '../../support/wire-client.js'

const STREAMS = 100_000
/** Each ends where a stream is a violation, or not at the end of a frame. */
const CONNECTIONS_AT_ONCE = 50
const LIMITS = { maxPayload: 65_536, maxFragments: 1000 }
/** They all come from one address, as fast as they can. */
const OPTIONS = { ...LIMITS, closeTimeoutMs: 5000, maxHandshakeRatePerIp: 0 }

const stage = setStage(OPTIONS)

const random = new Random()

/** A few frames that are right, as long as none of them is changed. */
function validStream(): Buffer {
  const frames: Buffer[] = []
  for (let count = random.integer(1, 4); count > 0; count--) {
    const size = random.pick([0, 5, 60, 125, 126, 200])
    const kind = random.next()
    if (kind < 0.1) frames.push(frame(PING, random.bytes(Math.min(size, 125))))
    else if (kind < 0.15) frames.push(frame(PONG, random.bytes(Math.min(size, 125))))
    else if (kind < 0.3) frames.push(frame(TEXT, 'aé€😀'.repeat(size / 10)))
    else if (kind < 0.5) {
      frames.push(frame(BINARY, random.bytes(size), { fin: false }))
      if (random.next() < 0.5) frames.push(frame(PING, 'between'))
      frames.push(frame(0, random.bytes(size)))
    } else frames.push(frame(BINARY, random.bytes(size)))
  }
  if (random.next() < 0.02) frames.push(frame(CLOSE, Buffer.concat([Buffer.of(3, 232), Buffer.from('bye')])))
  return Buffer.concat(frames)
}

/** What a connection sends, and what the server is to answer. */
interface Exchange {
  streams: number
  bytes: Buffer
  answers: string[]
}

/** Streams up to the first that ends the connection. */
function nextExchange(most: number): Exchange {
  const reference = new ReferenceDecoder({ role: 'server', ...LIMITS })
  const streams: Buffer[] = []
  const hasEnded = (): boolean =>
    reference.violation !== undefined || reference.frames.some(({ opcode }) => opcode === CLOSE)
  while (streams.length < most && !hasEnded() && reference.isBetweenFrames) {
    const stream = random.next() < 0.75 ? flip(validStream(), random) : mutate(validStream(), random, 3)
    for (const byte of stream) reference.push(byte)
    streams.push(stream)
  }
  return { streams: streams.length, bytes: Buffer.concat(streams), answers: answersTo(reference) }
}

/** What test-app.mjs and the protocol answer. */
function answersTo({ frames, violation }: ReferenceDecoder): string[] {
  const answers: string[] = []
  const answer = (opcode: number, payload: string): void => void answers.push(`${opcode} ${payload}`)
  let message = ''
  for (const { opcode, fin, payload } of frames) {
    if (opcode === CLOSE) {
      answer(CLOSE, payload.slice(0, 2))
      return answers
    }
    if (opcode === PING) answer(PONG, payload)
    else if (opcode === PONG) {
      const echo = Buffer.from(`pong ${Buffer.from(payload, 'latin1').toString()}`)
      answer(TEXT, echo.toString('latin1'))
    } else {
      message += payload
      if (!fin) continue
      answer(opcode, message)
      message = ''
    }
  }
  if (violation !== undefined) {
    const { closeCode } = frameError(violation.error)
    answer(CLOSE, String.fromCharCode(closeCode >> 8, closeCode & 0xff))
  }
  return answers
}

/** Everything that the server sends up to its FIN, without the response to the opening request. */
function exchange(bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect({ port: stage.server.port, host: '127.0.0.1', noDelay: true })
    socket.on('error', reject)
    socket.on('data', chunk => chunks.push(chunk))
    socket.on('end', () => {
      const all = Buffer.concat(chunks)
      resolve(all.subarray(all.indexOf('\r\n\r\n') + 4))
    })
    const cut = random.integer(0, bytes.length)
    socket.write(Buffer.concat([Buffer.from(openingRequest()), bytes.subarray(0, cut)]))
    setImmediate(() => socket.end(bytes.subarray(cut)))
  })
}

/** What came, in the words of `answersTo`: of a Close frame its code. */
function received(bytes: Buffer): string[] {
  return parseServerFrames(bytes).map(({ opcode, payload }) => {
    const shown = opcode === CLOSE ? payload.subarray(0, 2) : payload
    return `${opcode} ${shown.toString('latin1')}`
  })
}

/** Text that test-app.mjs takes for a command. */
const COMMAND = /^1 [!@]/

test(`${STREAMS} mutated streams (seed ${random.seed})`, async () => {
  let left = STREAMS
  const wrong: string[] = []
  const closes = { violations: 0, others: 0 }
  await stage.bystanders.during(memoryBound(OPTIONS, CONNECTIONS_AT_ONCE, 'message', 'held'), async () => {
    await many(CONNECTIONS_AT_ONCE, async () => {
      while (left > 0) {
        const { streams, bytes, answers } = nextExchange(Math.min(20, left))
        left -= streams
        if (answers.some(line => COMMAND.test(line))) {
          left += streams
          continue
        }
        const isViolation = answers.at(-1)?.startsWith(`${CLOSE} `) === true
        closes[isViolation ? 'violations' : 'others']++
        const told = received(await exchange(bytes))
        if (told.length !== answers.length || told.some((line, i) => line !== answers[i])) {
          wrong.push(
            `${bytes.toString('hex')}: ${JSON.stringify(told)} instead of ${JSON.stringify(answers)}`,
          )
        }
      }
    })
  })
  expect(wrong.slice(0, 3)).toEqual([])
  expect(closes.violations).toBeGreaterThan(STREAMS / 100)
  expect(closes.others).toBeGreaterThan(STREAMS / 100)
}, 120_000)
