import type { FrameCodec, Role } from '../src/codec/index.js'
import { Announcer } from './announcer.js'
import {
  type BytesForm,
  countBytes,
  grouped,
  type ParsedBytes,
  parseBytes,
  toBase64,
  toHex,
} from './bytes.js'
import { byId, create, disable, onClick, say } from './dom.js'
import { type Example, examplesOf } from './examples.js'
import { layoutStream, type Sample, type StreamLayout } from './frame-layout.js'
import { FrameStack } from './frame-stack.js'
import { serializeRoute } from './route.js'
import { StepPanel } from './step-panel.js'

/** Bytes that are looked at, of a message as many as are kept; what is pasted beyond them is left out. */
const MOST_BYTES = 65_536 + 14
/** Characters that the field takes: those many bytes as source code has them. Browsers lay out all that is in it. */
const MOST_TEXT = 8 * MOST_BYTES

const FORM_NAMES = { hex: 'hexadecimal', base64: 'base64' } as const

/** The view that draws frames bit by bit, and what the decoder makes of them byte by byte. */
export class Inspector {
  readonly #codec: FrameCodec
  readonly #changed: (sample: Sample) => void
  readonly #examples: readonly Example[]
  readonly #input = byId('bytes', HTMLTextAreaElement)
  readonly #form = byId('bytes-form', HTMLSelectElement)
  readonly #limited = byId('limited', HTMLInputElement)
  readonly #steps: StepPanel
  readonly #frames = new FrameStack(bit => this.#flip(bit))
  readonly #announcer = new Announcer(byId('inspector-news'))
  /** What stands in the field. */
  #parsed: ParsedBytes = parseBytes('')
  /** Whether more is left out than the field says. */
  #isCut = false
  #sample: Sample = { role: 'server', bytes: new Uint8Array() }
  #layout: StreamLayout

  /** @param changed is told what is looked at now */
  constructor(codec: FrameCodec, changed: (sample: Sample) => void) {
    this.#codec = codec
    this.#changed = changed
    this.#examples = examplesOf(codec)
    this.#layout = layoutStream(codec, this.#sample)
    this.#steps = new StepPanel(codec, byButton => {
      const told = this.#draw()
      if (byButton) this.#announcer.announce(() => told)
    })
    this.#listExamples()
    this.#listen()
  }

  /** Shows the first example, unless something is shown. */
  begin(): void {
    if (this.#input.value !== '') return
    this.show(this.#examples[0])
  }

  /** @param source where the bytes come from, if that has to be said */
  show({ role, bytes, isLimited = true, isCut = false }: Sample, source?: string): void {
    byId(role === 'server' ? 'as-server' : 'as-client', HTMLInputElement).checked = true
    this.#limited.checked = isLimited
    this.#form.value = 'detect'
    this.#input.value = toHex(bytes)
    this.#isCut = isCut
    say(byId('bytes-source'), source)
    this.#read()
  }

  get sample(): Sample {
    return this.#sample
  }

  #listExamples(): void {
    const select = byId('example', HTMLSelectElement)
    for (const [index, { name }] of this.#examples.entries()) {
      select.append(create('option', { value: String(index) }, name))
    }
    select.addEventListener('change', () => {
      const example = this.#examples[Number(select.value)]
      if (select.value !== '') this.show(example)
      select.value = ''
    })
  }

  #listen(): void {
    this.#input.addEventListener('input', () => {
      say(byId('bytes-source'), undefined)
      this.#isCut = false
      this.#read()
    })
    this.#input.addEventListener('paste', event => this.#paste(event))
    for (const id of ['as-server', 'as-client', 'limited', 'bytes-form']) {
      byId(id).addEventListener('change', () => this.#read())
    }
    onClick('convert', () => this.#convert())
  }

  /** Of a very long text only the beginning goes into the field. */
  #paste(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData('text') ?? ''
    if (text.length <= MOST_TEXT) return
    event.preventDefault()
    const { selectionStart, selectionEnd } = this.#input
    this.#input.setRangeText(text.slice(0, MOST_TEXT), selectionStart, selectionEnd, 'end')
    this.#input.dispatchEvent(new Event('input'))
  }

  /** Writes the bytes in the other form. */
  #convert(): void {
    const form: BytesForm = this.#parsed.form === 'hex' ? 'base64' : 'hex'
    const { bytes } = this.#sample
    // What is cut off is not in the field any more.
    this.#isCut ||= this.#parsed.isCut
    this.#input.value = form === 'hex' ? toHex(bytes) : toBase64(bytes)
    this.#form.value = form
    this.#read()
  }

  #flip(bit: number): void {
    const bytes = this.#sample.bytes.slice()
    bytes[bit >> 3] ^= 0x80 >> (bit & 7)
    const { focus, position } = this.#steps
    this.show({ ...this.#sample, bytes })
    if (focus === undefined) return
    this.#steps.position = position
    this.#draw()
  }

  #read(): void {
    const form = this.#form.value as BytesForm | 'detect'
    this.#parsed = parseBytes(this.#input.value, form === 'detect' ? undefined : form, MOST_BYTES)
    const { bytes, fault, isCut } = this.#parsed
    const role: Role = byId('as-client', HTMLInputElement).checked ? 'client' : 'server'
    this.#sample = { role, bytes, isLimited: this.#limited.checked, isCut: isCut || this.#isCut }
    this.#layout = layoutStream(this.#codec, this.#sample)
    this.#tellInput()
    this.#steps.reset(bytes.length)
    this.#frames.chosen = undefined
    this.#draw()
    this.#announcer.announce(() => this.#summary(fault))
    this.#changed(this.#sample)
  }

  /** Below the field: how it was read. */
  #tellInput(): void {
    const { bytes, form, fault, isCut } = this.#parsed
    const isRight = fault === undefined
    say(
      byId('bytes-fault'),
      isRight
        ? undefined
        : `${fault}. ${bytes.length === 0 ? 'There is nothing before it to be read.' : `Only what stands before it is read: ${countBytes(bytes.length)}.`}`,
    )
    this.#input.setAttribute('aria-invalid', String(!isRight))
    say(
      byId('bytes-count'),
      isRight
        ? `${isCut ? 'The first ' : ''}${countBytes(bytes.length)}, read as ${FORM_NAMES[form]}${isCut ? '; the rest is left out' : ''}`
        : undefined,
    )
    byId('convert').textContent = `Write as ${FORM_NAMES[form === 'hex' ? 'base64' : 'hex']}`
    disable('convert', !isRight || bytes.length === 0)
    const link = serializeRoute({ view: 'inspector', shared: this.#sample })
    const share = byId('share', HTMLAnchorElement)
    share.href = link
    share.hidden = !isRight || link === '#inspector'
  }

  #draw(): string {
    const { position, focus } = this.#steps
    this.#frames.draw({
      sample: this.#sample,
      layout: this.#layout,
      position,
      focus,
      isEditable: this.#parsed.fault === undefined,
    })
    return this.#steps.draw(this.#sample, this.#layout)
  }

  /** For those who do not see the frames; a fault of the text has been said. */
  #summary(fault: string | undefined): string {
    const { frames, violation } = this.#layout
    if (fault !== undefined) return ''
    const count = `${grouped(frames.length)} ${frames.length === 1 ? 'frame' : 'frames'}`
    return `${countBytes(this.#sample.bytes.length)}, ${count}. ${violation === undefined ? '' : `${violation.error.code}: ${violation.error.message}.`}`.trim()
  }
}
