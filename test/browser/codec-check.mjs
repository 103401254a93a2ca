// What shardws/codec must be able to do wherever it runs: in bundles, workers, Node, Deno, Bun. `api` is the module.
export async function check(api) {
  const { acceptKey, FrameCodec, loadCodec, loadCodecSync, parseExtensions, serializeExtensions } = api
  const codec = await loadCodec()
  const client = { role: 'client' }
  const decoder = codec.createDecoder({ role: 'server', maxPayload: 300_000 })
  const binary = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) & 0xff)
  const wire = [
    codec.encodeMessage('añ€😀', client),
    codec.encodeMessage(binary, client),
    codec.encodeFrame({ opcode: 9, payload: 'ping' }, client),
    codec.encodeClose(1000, 'bye', client),
  ]
  const pieces = wire.flatMap(bytes => [bytes.subarray(0, 3), bytes.subarray(3)])
  const found = pieces.flatMap(bytes => decoder.push(bytes))
  const [error] = codec.createDecoder({ role: 'client' }).push(Uint8Array.of(0x81, 0x80))
  const compressed = codec.createDecoder({ role: 'server', deflate: true })
  const payload = Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00)
  const [deflated] = compressed.push(codec.encodeMessage(payload, { ...client, binary: false, rsv1: true }))
  const masked = Uint8Array.of(1, 2, 3, 4, 5)
  codec.mask(masked, Uint8Array.of(1, 2, 3, 4))
  return {
    types: found.map(({ type }) => type).join(' '),
    text: found[0].data,
    binary: found[1].data.length === binary.length && found[1].data.every((byte, i) => byte === binary[i]),
    close: [found[3].code, found[3].reason],
    error: [
      error.error instanceof api.ProtocolError,
      error.error.name,
      error.error.code,
      error.error.closeCode,
    ],
    compressed: [deflated.type, deflated.binary, deflated.data.join(' ')],
    masked: [...masked],
    utf8: [codec.isValidUtf8(Uint8Array.of(0xc3, 0xa9)), codec.isValidUtf8(Uint8Array.of(0xc3))],
    sync: loadCodecSync() instanceof FrameCodec,
    accept: acceptKey('dGhlIHNhbXBsZSBub25jZQ=='),
    extensions: serializeExtensions(parseExtensions('a; b=1 , c')),
  }
}

export const expected = {
  types: 'text binary ping close',
  text: 'añ€😀',
  binary: true,
  close: [1000, 'bye'],
  error: [true, 'ProtocolError', 'ERR_FRAME_MASK_FORBIDDEN', 1002],
  compressed: ['compressed', false, '242 72 205 201 201 7 0'],
  masked: [0, 0, 0, 0, 4],
  utf8: [true, false],
  sync: true,
  accept: 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  extensions: 'a; b=1, c',
}
