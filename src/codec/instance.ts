import { StateError } from '../errors.js'
import { SLOT_SIZE, SLOTS_OFFSET } from './events.js'
import type { CodecExports } from './exports.js'

/** An instance of codec.wasm and the memory that it was given. */
export interface CodecInstance {
  readonly memory: WebAssembly.Memory
  readonly exports: CodecExports
}

const PAGE_SIZE = 65536
/** Memory is limited to 4 GiB by WebAssembly; this many slots take 64 MiB of addresses. */
const MAX_SLOTS = 1 << 20

/** @throws StateError (`ERR_CODEC_SLOTS`) when `slots` is out of range */
export function instantiate(module: WebAssembly.Module, slots: number): CodecInstance {
  const memory = memoryFor(slots)
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  return { memory, exports: exports as unknown as CodecExports }
}

/** The same where a page's main thread may not be held up: some browsers refuse to. */
export async function instantiateAsync(module: WebAssembly.Module, slots: number): Promise<CodecInstance> {
  const memory = memoryFor(slots)
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } })
  return { memory, exports: exports as unknown as CodecExports }
}

function memoryFor(slots: number): WebAssembly.Memory {
  if (!Number.isInteger(slots) || slots < 1 || slots > MAX_SLOTS) {
    throw new StateError('ERR_CODEC_SLOTS', `slots must be an integer from 1 to ${MAX_SLOTS}, got ${slots}`)
  }
  const pages = Math.ceil((SLOTS_OFFSET + slots * SLOT_SIZE) / PAGE_SIZE)
  return new WebAssembly.Memory({ initial: pages, maximum: pages })
}
