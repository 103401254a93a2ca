import { StateError } from '../errors.js'
import { FrameCodec } from './frame-codec.js'
import { CODEC_WASM } from './inlined.js'
import { instantiateAsync } from './instance.js'

/** What is used of a `Response` of `fetch`. */
export interface ResponseLike {
  readonly ok: boolean
  readonly status: number
  arrayBuffer(): Promise<ArrayBuffer>
}

/** codec.wasm compiled already (to be sent to workers, to be kept), or its bytes. */
export type SyncCodecSource = WebAssembly.Module | ArrayBuffer | ArrayBufferView

/** The same, or a response that has them. */
export type CodecSource = SyncCodecSource | ResponseLike

/**
 * The codec, of the bytes in this module unless others are given.
 *
 * @param source what `fetch` of codec.wasm gives or promises, its bytes, or its module
 * @throws StateError (`ERR_CODEC_SOURCE`) when it is something else, a response with an error status, or the codec.wasm
 *   of another version; `WebAssembly.CompileError` for bytes that are no WebAssembly
 */
export async function loadCodec(source?: CodecSource | PromiseLike<CodecSource>): Promise<FrameCodec> {
  const module = await compile((await source) ?? inlinedBytes())
  return new FrameCodec(module, await instantiateAsync(module, 1))
}

/**
 * The same at once. Browsers before 2023 refuse it in a page's main thread, where `loadCodec` is the way.
 *
 * @throws as `loadCodec`
 */
export function loadCodecSync(source: SyncCodecSource = inlinedBytes()): FrameCodec {
  return new FrameCodec(
    source instanceof WebAssembly.Module ? source : new WebAssembly.Module(checked(source)),
  )
}

async function compile(source: CodecSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source
  if (typeof Response === 'function' && source instanceof Response) {
    refuseErrors(source)
    // Which takes no other type; a server that does not know the type should not make a difference.
    const isWasm = source.headers.get('content-type') === 'application/wasm'
    if (isWasm && 'compileStreaming' in WebAssembly) return WebAssembly.compileStreaming(source)
  }
  if (isResponse(source)) {
    refuseErrors(source)
    return WebAssembly.compile(await source.arrayBuffer())
  }
  return WebAssembly.compile(checked(source))
}

function isResponse(source: CodecSource): source is ResponseLike {
  return typeof (source as Partial<ResponseLike>).arrayBuffer === 'function'
}

function refuseErrors({ ok, status }: ResponseLike): void {
  if (!ok) throw new StateError('ERR_CODEC_SOURCE', `codec.wasm was answered with status ${status}`)
}

function checked(source: unknown): ArrayBuffer | ArrayBufferView<ArrayBuffer> {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    return source as ArrayBuffer | ArrayBufferView<ArrayBuffer>
  }
  throw new StateError(
    'ERR_CODEC_SOURCE',
    'give a response, bytes or a WebAssembly.Module of codec.wasm, or nothing for the bytes that are built in',
  )
}

function inlinedBytes(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(CODEC_WASM), character => character.charCodeAt(0))
}
