import { readFileSync } from 'node:fs'

/** What every suite of the codec runs on: the build that ships, and the one with assertions and no optimisation. */
export const BUILDS = [
  { name: 'release', path: new URL('../../dist/codec/codec.wasm', import.meta.url) },
  { name: 'debug', path: new URL('../../build/codec.debug.wasm', import.meta.url) },
].map(({ name, path }) => ({ name, path, module: new WebAssembly.Module(readFileSync(path)) }))
