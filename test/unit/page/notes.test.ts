import { describe, expect, it } from 'vitest'
import { examplesOf } from '../../../page/examples.js'
import { citationOf, linkOf, noteOnField, noteOnPayload, speak } from '../../../page/field-notes.js'
import { layoutStream } from '../../../page/frame-layout.js'
import { headerIn, parseHead } from '../../../page/head-lines.js'
import { noteOnLine } from '../../../page/header-notes.js'
import { loadCodec } from '../../../src/codec/index.js'
import { head } from '../handshake/opening.js'

const codec = await loadCodec()
const frames = examplesOf(codec).flatMap(example =>
  layoutStream(codec, example).frames.map(frame => ({ frame, role: example.role })),
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

it('the note on a reserved bit says that the frame is refused, where it is', () => {
  const { frames: all } = layoutStream(codec, { role: 'client', bytes: Uint8Array.of(0xf1, 0) })
  const bits = all[0].fields.filter(({ kind }) => kind.startsWith('rsv'))
  expect(bits).toHaveLength(3)
  for (const field of bits) {
    expect(noteOnField(field, all[0], 'client').text).toMatch(/so the frame is refused\.$/)
    expect(noteOnField({ ...field, value: 0n }, all[0], 'client').text).not.toMatch(/refused/)
  }
})

describe('the notes on bytes of text', () => {
  const meanings = (wire: number[], role: 'client' | 'server' = 'client') => {
    const { frames: all } = layoutStream(codec, { role, bytes: Uint8Array.from(wire) })
    const last = all[all.length - 1]
    return Array.from(last.payload, (_, index) => noteOnPayload(last, index).text.replace(/^Byte .*?\. /, ''))
  }

  it('say how many bytes a character has', () => {
    const bytes = [...new TextEncoder().encode('aé€😀')]
    const further = 'A further byte of a character in UTF-8.'
    const first = (count: number) => `The first of the ${count} bytes of a character in UTF-8.`
    expect(meanings([0x81, bytes.length, ...bytes])).toEqual([
      'A character of ASCII.',
      first(2),
      further,
      first(3),
      further,
      further,
      first(4),
      further,
      further,
      further,
    ])
  })

  it('know those that never occur (RFC 3629 1)', () => {
    for (let byte = 0; byte < 256; byte++) {
      const never = byte === 0xc0 || byte === 0xc1 || byte >= 0xf5
      expect(/never occurs/.test(meanings([0x81, 1, byte])[0])).toBe(never)
    }
  })

  it('go on in fragments of text, and not in those of bytes', () => {
    expect(meanings([0x01, 1, 0x61, 0x89, 0, 0x80, 1, 0x62])).toEqual(['A character of ASCII.'])
    expect(meanings([0x02, 1, 0x61, 0x80, 1, 0x62])).toEqual(['Its meaning is up to the application.'])
  })
})

it('a note is said with where it is written', () => {
  const [{ frame, role }] = frames
  expect(speak(noteOnField(frame.fields[0], frame, role))).toMatch(/^FIN: 1\. .*\. RFC 6455, section 5\.4\.$/)
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
