// The types that a test needs of examples/codec, which is JavaScript without declarations.
interface Link {
  send(data: string | Uint8Array): void
  close(code?: number, reason?: string): void
}
type Listener = (message: import('../../src/codec/index.js').Message) => void
type Role = import('../../src/codec/index.js').Role

declare module '*/examples/codec/message-port.mjs' {
  export function overPort(port: MessagePort, role: Role, onMessage: Listener): Link
}

declare module '*/examples/codec/data-channel.mjs' {
  export function overDataChannel(channel: RTCDataChannel, role: Role, onMessage: Listener): Link
}

declare module '*/examples/codec/streams.mjs' {
  export function overStreams(
    pair: { readable: ReadableStream; writable: WritableStream },
    role: Role,
  ): { readable: ReadableStream; writable: WritableStream }
}

declare module '*/examples/codec/compressed-streams.mjs' {
  export function overCompressedStreams(
    pair: { readable: ReadableStream; writable: WritableStream },
    role: Role,
  ): { readable: ReadableStream; writable: WritableStream }
}

declare module '*/examples/codec/deflate.mjs' {
  export function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>
  export function inflate(data: Uint8Array<ArrayBuffer>, most: number): Promise<Uint8Array<ArrayBuffer>>
}
