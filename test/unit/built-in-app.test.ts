import { describe, expect, it } from 'vitest'
import { builtInApp } from '../../src/built-in-app.js'
import { text } from '../support/frames.js'
import { framesOf, MemoryShard, turnEnd } from '../support/memory-shard.js'
import { binary, describeServerFrames } from '../support/peer-frames.js'
import { head } from './handshake/opening.js'

describe('the built-in application', () => {
  it('answers PING with PONG, and everything else in kind', async () => {
    const lines: string[] = []
    const shard = new MemoryShard(builtInApp((level, line) => lines.push(`${level} ${line}`)))
    const { transport } = shard.connect()
    const long = 'x'.repeat(300)
    for (const frame of [text('PING'), text('ping'), binary('PING'), text(''), binary('é'), text(long)]) {
      transport.feed(frame)
    }
    await turnEnd()
    expect(framesOf(transport)).toEqual([
      'text PONG',
      'text ping',
      'binary PING',
      'text',
      'binary é',
      `text ${long}`,
    ])
    expect(lines[0]).toBe('debug connection 1 opened: / from 192.0.2.1')
    expect(lines[1]).toBe("debug connection 1 received text 'PING'")
    expect(lines[3]).toBe('debug connection 1 received binary 50494e47')
    expect(lines[6].length).toBeLessThan(300)
  })
})

describe('the handshake that a page asks for', () => {
  const OWN = { Origin: 'http://example.com', 'Sec-WebSocket-Protocol': 'chat, shardws.handshake' }

  /** The head of the response, and the frames after it. */
  async function shake(request: string, options = {}): Promise<{ response: string; frames: string[] }> {
    const shard = new MemoryShard(
      builtInApp(() => {}),
      options,
    )
    const { transport } = shard.accept()
    transport.feed(Buffer.from(request, 'latin1'))
    await turnEnd()
    const sent = transport.takeSent()
    const end = sent.indexOf('\r\n\r\n') + 4
    return { response: sent.toString('latin1', 0, end), frames: describeServerFrames(sent.subarray(end)) }
  }

  it('is both heads, byte for byte; then the connection is closed', async () => {
    const request = head({ with: { ...OWN, 'X-Latin': 'é' } })
    const { response, frames } = await shake(request, { perMessageDeflate: undefined })
    expect(response).toMatch(/^HTTP\/1\.1 101 .*\r\nSec-WebSocket-Protocol: shardws\.handshake\r\n\r\n$/s)
    expect(frames).toHaveLength(2)
    expect(JSON.parse(frames[0].replace(/^text /, ''))).toEqual({ request, response })
    expect(frames[1]).toBe('close 1000')
  })

  it('has asterisks for cookies and credentials', async () => {
    const secret = { Cookie: 'a=b; c=d', authorization: 'Basic eDp5', 'X-Cookie': 'left' }
    const { frames } = await shake(head({ with: { ...OWN, ...secret }, add: ['COOKIE:\te=f'] }))
    const { request } = JSON.parse(frames[0].replace(/^text /, '')) as { request: string }
    expect(request).toContain('\r\nCookie: ********\r\n')
    expect(request).toContain('\r\nauthorization: **********\r\n')
    expect(request).toContain('\r\nCOOKIE:\t***\r\n')
    expect(request).toContain('\r\nX-Cookie: left\r\n')
  })

  it.each([
    ['another site', { Origin: 'http://else.example' }],
    ['a site whose name begins so', { Origin: 'http://example.com.else.example' }],
    ['another port', { Origin: 'http://example.com:81' }],
    ['no origin', { Origin: undefined }],
    ['one that does not say', { Origin: 'null' }],
  ])('is not told to %s', async (_, headers) => {
    const { response, frames } = await shake(head({ with: { ...OWN, ...headers } }))
    expect(response).toMatch(/^HTTP\/1\.1 101 /)
    expect(response).not.toContain('Protocol: shardws')
    expect(frames).toEqual([])
  })

  it('is not told to those who do not ask, who get the subprotocol that the server speaks', async () => {
    const asked = head({ with: { ...OWN, 'Sec-WebSocket-Protocol': 'chat' } })
    const { response, frames } = await shake(asked, { protocols: ['chat'] })
    expect(response).toContain('Sec-WebSocket-Protocol: chat\r\n')
    expect(frames).toEqual([])
  })
})
