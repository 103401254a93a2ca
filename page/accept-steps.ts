import { acceptKey, isValidKey } from '../src/codec/index.js'
import { parseBytes, toBase64, toHex } from './bytes.js'
import { byId, disable, onClick, say } from './dom.js'

/** RFC 6455 1.3, the GUID and the key of the example. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const EXAMPLE = 'dGhlIHNhbXBsZSBub25jZQ=='

/** The accept key, computed step by step from a key that can be edited (RFC 6455 4.2.2). */
export class AcceptSteps {
  readonly #key = byId('accept-key', HTMLInputElement)
  readonly #verdict = byId('accept-verdict')
  /** Of the handshake that is shown; empty before there is one. */
  #sent = ''
  #accepted = ''

  constructor() {
    byId('accept-guid').textContent = GUID
    this.#key.addEventListener('input', () => this.#compute())
    this.#key.value = EXAMPLE
    this.#compute()
    onClick('restore-key', () => this.take(this.#sent, this.#accepted))
    onClick('random-key', () => {
      this.#key.value = toBase64(crypto.getRandomValues(new Uint8Array(16)))
      this.#compute()
    })
  }

  /** @param key of a request; `accepted` is what the response had */
  take(key: string, accepted: string): void {
    this.#sent = key
    this.#accepted = accepted
    this.#key.value = key
    this.#compute()
  }

  #compute(): void {
    const key = this.#key.value.trim()
    disable('restore-key', this.#sent === '')
    const isValid = isValidKey(key)
    say(
      byId('accept-fault'),
      isValid
        ? undefined
        : 'A key is 16 bytes in base64: 22 characters and ==. The server would refuse this one with 400.',
    )
    this.#key.setAttribute('aria-invalid', String(!isValid))
    byId('accept-joined').textContent = isValid ? key + GUID : '–'
    const accept = isValid ? acceptKey(key) : undefined
    byId('accept-sha1').textContent = accept === undefined ? '–' : toHex(parseBytes(accept, 'base64').bytes)
    byId('accept-base64').textContent = accept ?? '–'
    const isEqual = accept === this.#accepted
    this.#verdict.dataset.verdict = accept === undefined || this.#accepted === '' ? 'none' : String(isEqual)
    say(
      this.#verdict,
      accept === undefined || this.#accepted === ''
        ? undefined
        : isEqual
          ? '✓ The same as Sec-WebSocket-Accept of the response.'
          : `✗ The response had ${this.#accepted}: it answers another key.`,
    )
  }
}
