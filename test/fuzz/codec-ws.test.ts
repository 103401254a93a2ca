import { once } from 'node:events'
import type { Writable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as ws from 'ws'
import { Codec } from '../../src/codec/codec.js'
import { frameError } from '../../src/errors.js'
import { BUILDS } from '../reference/builds.js'
import type { Frame } from '../reference/decoder.js'
import { frameBytes, pieces, streams } from '../reference/frames.js'
import { CodecStream } from '../reference/stream.js'

/** Not in @types/ws: a stream to write the peer's bytes to, which emits what it finds. */
type ReceiverClass = new (options: { isServer: boolean; maxPayload: number }) => Writable
const { Receiver } = ws as unknown as { Receiver: ReceiverClass }

const MAX_PAYLOAD = 1 << 20
const LONGEST_CONTROL_FRAME = 2 + 4 + 125

/** What a connection delivers up to its end: messages, Pings, Pongs and the Close, as comparable text. */
interface Outcome {
  delivered: string[]
  refused: boolean
}

const entry = (kind: string, payload: Uint8Array | string) =>
  `${kind} ${Buffer.from(payload as string, 'latin1').toString('hex')}`

async function receiveWithWs(role: 'server' | 'client', bytes: Uint8Array): Promise<Outcome> {
  const delivered: string[] = []
  let refused = false
  const receiver = new Receiver({ isServer: role === 'server', maxPayload: MAX_PAYLOAD })
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    delivered.push(entry(isBinary ? 'binary' : 'text', data)),
  )
  receiver.on('ping', (data: Buffer) => delivered.push(entry('ping', data)))
  receiver.on('pong', (data: Buffer) => delivered.push(entry('pong', data)))
  receiver.on('conclude', (code: number, reason: Buffer) => {
    delivered.push(entry(`close ${code}`, reason))
  })
  receiver.on('error', () => {
    refused = true
  })
  const closed = once(receiver, 'close').catch(() => undefined)
  // A copy: it unmasks in place.
  receiver.end(Buffer.from(bytes))
  await Promise.race([closed, once(receiver, 'finish').catch(() => undefined)])
  return { delivered, refused }
}

function receiveWithCodec(codec: Codec, role: 'server' | 'client', bytes: Uint8Array) {
  const stream = new CodecStream(codec, { role, maxPayload: MAX_PAYLOAD, maxFragments: 2 ** 32 - 1 })
  try {
    for (const piece of pieces(bytes, [], codec.readArena.length)) stream.push(piece)
  } finally {
    stream.end()
  }
  const { delivered, closed } = deliver(stream.frames)
  return {
    delivered,
    closed,
    refusal: closed || !stream.violation ? undefined : frameError(stream.violation.error).code,
  }
}

/** Puts messages together, and ends at the Close as ws does. */
function deliver(frames: readonly Frame[]): { delivered: string[]; closed: boolean } {
  const delivered: string[] = []
  let message = ''
  for (const { opcode, fin, start, payload } of frames) {
    if (opcode === 8) {
      const code = payload === '' ? 1005 : payload.charCodeAt(0) * 256 + payload.charCodeAt(1)
      delivered.push(entry(`close ${code}`, payload.slice(2)))
      return { delivered, closed: true }
    }
    if (opcode > 8) delivered.push(entry(opcode === 9 ? 'ping' : 'pong', payload))
    else {
      message = start ? payload : message + payload
      if (fin) delivered.push(entry(opcode === 1 ? 'text' : 'binary', message))
    }
  }
  return { delivered, closed: false }
}

/**
 * Where we are stricter than ws on purpose: it takes a length in any form, and it looks at a text when all of it has
 * come, so that it waits where the message is not complete.
 */
const STRICTER = ['ERR_FRAME_LENGTH_NOT_MINIMAL', 'ERR_INVALID_UTF8']

describe.each(BUILDS)('$name build', ({ module }) => {
  const codec = new Codec(module, 1)

  it.each(['server', 'client'] as const)('delivers and refuses what ws does, in the %s role', async role => {
    const seen = { refused: 0, closed: 0, delivered: 0 }
    await fc.assert(
      fc.asyncProperty(streams(role), async bytes => {
        const ours = receiveWithCodec(codec, role, bytes)
        const theirs = await receiveWithWs(role, bytes)
        seen.delivered += ours.delivered.length
        if (ours.closed) seen.closed++
        if (ours.refusal) seen.refused++
        const stricter = ours.refusal !== undefined && STRICTER.includes(ours.refusal)
        if (!ours.refusal) expect(theirs.refused).toBe(false)
        else if (!stricter && !theirs.refused) {
          // It looks at a header's first two bytes together, and at a Close when all of it has come.
          const more = Buffer.concat([bytes, new Uint8Array(LONGEST_CONTROL_FRAME)])
          expect((await receiveWithWs(role, more)).refused).toBe(true)
        }
        // Between the byte that we refuse and the one that ws refuses there may be Pings, never before ours.
        expect(theirs.delivered.slice(0, ours.delivered.length)).toEqual(ours.delivered)
        if (!ours.refusal) expect(theirs.delivered).toEqual(ours.delivered)
      }),
      { numRuns: 500 },
    )
    // The comparison is worth something only when all of this comes up.
    expect(Math.min(seen.refused, seen.closed, seen.delivered)).toBeGreaterThan(10)
  })

  it('is stricter than ws where it is meant to be', async () => {
    const key = [1, 2, 3, 4]
    const cases = [
      [
        'ERR_FRAME_LENGTH_NOT_MINIMAL',
        frameBytes({ opcode: 2, payload: Buffer.from('abc'), extended: 2, key }),
      ],
      [
        'ERR_FRAME_LENGTH_NOT_MINIMAL',
        frameBytes({ opcode: 2, payload: Buffer.from('abc'), extended: 8, key }),
      ],
      ['ERR_INVALID_UTF8', frameBytes({ opcode: 1, fin: false, payload: Uint8Array.of(0xff), key })],
    ] as const
    for (const [code, bytes] of cases) {
      expect(receiveWithCodec(codec, 'server', bytes).refusal).toBe(code)
      expect((await receiveWithWs('server', bytes)).refused).toBe(false)
    }
  })
})
