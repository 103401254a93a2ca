import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Beside this file in the package; from the sources (tests) in what the build left. */
const LOCATIONS = ['./codec.wasm', '../../dist/codec/codec.wasm'] as const

let compiled: WebAssembly.Module | undefined

/**
 * The codec, compiled once per process. A `WebAssembly.Module` can be posted to workers, which then share its code.
 *
 * @throws when codec.wasm was not built (`npm run build:codec`)
 */
export function compileCodec(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(codecPath()))
  return compiled
}

function codecPath(): string {
  for (const location of LOCATIONS) {
    const path = fileURLToPath(new URL(location, import.meta.url))
    if (existsSync(path)) return path
  }
  throw new Error('codec.wasm was not found: run `npm run build:codec`')
}
