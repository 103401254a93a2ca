import { describe, expect, it } from 'vitest'
import { examplesOf } from '../../../page/examples.js'
import { citationOf, linkOf, noteOnField, noteOnPayload } from '../../../page/field-notes.js'
import { layoutStream } from '../../../page/frame-layout.js'
import { headerIn, parseHead } from '../../../page/head-lines.js'
import { noteOnLine } from '../../../page/header-notes.js'
import { loadCodec } from '../../../src/codec/index.js'
import { head } from '../handshake/opening.js'

const codec = await loadCodec()
const frames = examplesOf(codec).flatMap(({ role, bytes }) =>
  layoutStream(codec, bytes, role).frames.map(frame => ({ frame, role })),
)

describe('the notes on fields', () => {
  const notes = frames.flatMap(({ frame, role }) =>
    frame.fields.map(field => noteOnField(field, frame, role)),
  )

  it('say something about each, and where it is written', () => {
    expect(notes.length).toBeGreaterThan(100)
    for (const { title, value, text, source } of notes) {
      expect(title).not.toBe('')
      expect(value).not.toBe('')
      expect(text).toMatch(/^[A-Z0-9].*\.$/)
      expect(source).toMatch(/^(6455|7692) \d/)
    }
  })

  it('name the RFC and link to it', () => {
    expect(citationOf('6455 5.2')).toBe('RFC 6455, section 5.2')
    expect(linkOf('6455 5.2')).toBe('https://www.rfc-editor.org/rfc/rfc6455#section-5.2')
  })

  it('say what a byte of a payload is', () => {
    const [{ frame }] = frames
    expect(noteOnPayload(frame, 4)).toMatchObject({ value: '58 ⊕ 37 = 6f  o', source: '6455 5.3' })
    const close = frames.find(({ frame: { fields } }) => fields[4].value === 8n)?.frame
    expect(close && noteOnPayload(close, 1).text).toMatch(/Of the close code, 1000\./)
  })
})

describe('the notes on lines of a head', () => {
  const request = head({ with: { Cookie: 'a=b', Origin: 'http://example.com', 'X-Else': 'x: y' } })

  it('keep every line as it was', () => {
    const lines = parseHead(request)
    expect(`${lines.map(({ text }) => text).join('\r\n')}\r\n`).toBe(request)
    expect(headerIn(request, 'sec-websocket-version')).toBe('13')
    expect(headerIn(request, 'x-else')).toBe('x: y')
    expect(headerIn(request, 'x-none')).toBeUndefined()
  })

  it('say something about each, and where it is written', () => {
    for (const side of ['request', 'response'] as const) {
      for (const line of parseHead(request)) {
        const { title, value, text, source } = noteOnLine(line, side)
        expect(title).not.toBe('')
        expect(value).not.toBe('')
        expect(text).toMatch(/^[A-Z0-9].*\.$/)
        expect(source).toMatch(/^\d{4} \d/)
      }
    }
  })
})
