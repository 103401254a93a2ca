import { type FrameCodec, Opcode, type Role } from '../src/codec/index.js'
import type { Sample } from './frame-layout.js'

/** Something to look at in the inspector. */
export interface Example extends Sample {
  readonly name: string
}

/** The key of the examples in RFC 6455 5.7. */
const MASK_KEY = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d)

/** Made by the codec where it can; what breaks a rule it does not make. */
export function examplesOf(codec: FrameCodec): readonly Example[] {
  const masked = { role: 'client', maskKey: MASK_KEY } as const
  const plain = { role: 'server' } as const
  const { TEXT, CONTINUATION, PING } = Opcode
  return [
    { name: 'Text, masked', role: 'server', bytes: codec.encodeMessage('Hello', masked) },
    { name: 'Text, not masked', role: 'client', bytes: codec.encodeMessage('Hello', plain) },
    {
      name: 'Text in two fragments, a ping between them',
      role: 'server',
      bytes: concatenate(
        codec.encodeFrame({ opcode: TEXT, payload: 'Hel', fin: false }, masked),
        codec.encodeFrame({ opcode: PING, payload: '?' }, masked),
        codec.encodeFrame({ opcode: CONTINUATION, payload: 'lo' }, masked),
      ),
    },
    { name: 'Close with a code and a reason', role: 'server', bytes: codec.encodeClose(1000, 'bye', masked) },
    {
      name: 'Close, and more behind it',
      role: 'client',
      bytes: concatenate(codec.encodeClose(1001, '', plain), codec.encodeMessage('too late', plain)),
    },
    { name: 'Binary, 16-bit length', role: 'client', bytes: codec.encodeMessage(new Uint8Array(256), plain) },
    {
      name: 'Binary, 64-bit length, only begun',
      role: 'client',
      bytes: codec.encodeMessage(new Uint8Array(65_536), plain).slice(0, 26),
    },
    { name: 'Wrong: not UTF-8', role: 'server', bytes: wrongText(codec, masked) },
    { name: 'Wrong: a reserved bit', role: 'client', bytes: Uint8Array.of(0xc1, 0x02, 0x68, 0x69) },
    { name: 'Wrong: a reserved opcode', role: 'client', bytes: Uint8Array.of(0x83, 0x02, 0x68, 0x69) },
    {
      name: 'Wrong: length not in its shortest form',
      role: 'client',
      bytes: Uint8Array.of(0x81, 0x7e, 0, 2, 0x68, 0x69),
    },
    {
      name: 'Wrong: 64-bit length with the top bit',
      role: 'client',
      bytes: Uint8Array.of(0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 1),
    },
    {
      name: 'Wrong: a client that does not mask',
      role: 'server',
      bytes: codec.encodeMessage('Hello', plain),
    },
    { name: 'Wrong: a fragmented ping', role: 'client', bytes: Uint8Array.of(0x09, 0x01, 0x3f) },
    {
      name: 'Wrong: a continuation of nothing',
      role: 'client',
      bytes: Uint8Array.of(0x80, 0x02, 0x6c, 0x6f),
    },
    { name: 'Wrong: close code 1005', role: 'client', bytes: Uint8Array.of(0x88, 0x02, 0x03, 0xed) },
    { name: 'Wrong: a close of one byte', role: 'client', bytes: Uint8Array.of(0x88, 0x01, 0x03) },
    {
      name: 'Wrong: a message over 1 MiB',
      role: 'client',
      bytes: Uint8Array.of(0x82, 0x7f, 0, 0, 0, 0, 0, 0x10, 0, 1),
    },
  ]
}

/** A text frame whose fourth byte can't stand where it does. */
function wrongText(codec: FrameCodec, options: { role: Role; maskKey: Uint8Array }): Uint8Array<ArrayBuffer> {
  const binary = codec.encodeMessage(Uint8Array.of(0x48, 0x65, 0x6c, 0xff, 0x6f), options)
  binary[0] = 0x81
  return binary
}

function concatenate(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
