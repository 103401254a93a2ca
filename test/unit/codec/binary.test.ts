import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CODEC_WASM } from '../../../src/codec/inlined.js'
import { compileCodec } from '../../../src/codec/module.js'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const SHIPPED = join(ROOT, 'dist', 'codec', 'codec.wasm')
const MAX_SIZE = 6 * 1024

describe('codec.wasm', () => {
  it('imports its memory and nothing else', () => {
    expect(WebAssembly.Module.imports(compileCodec())).toEqual([
      { module: 'env', name: 'memory', kind: 'memory' },
    ])
  })

  it('exports functions and numbers', () => {
    const exports = WebAssembly.Module.exports(compileCodec())
    expect(exports.filter(({ kind }) => kind === 'function').map(({ name }) => name)).toEqual([
      'open',
      'decode',
      'consumed',
      'mask',
      'validateUtf8',
      'invalidOffset',
      'decodeUtf8',
    ])
    for (const { name, kind } of exports) {
      if (kind !== 'function') expect(name).toMatch(kind === 'memory' ? /^memory$/ : /^[A-Z0-9_]+$/)
    }
  })

  it(`is not larger than ${MAX_SIZE} bytes`, () => {
    expect(readFileSync(SHIPPED).length).toBeLessThanOrEqual(MAX_SIZE)
  })

  it('is what shardws/codec has built in', () => {
    expect(Buffer.from(CODEC_WASM, 'base64').compare(readFileSync(SHIPPED))).toBe(0)
  })

  it('uses SIMD: 128-bit loads, XORs, lookups', () => {
    const code = readFileSync(SHIPPED)
    // Opcodes of the vector prefix 0xfd: v128.load, v128.xor, i8x16.swizzle, i8x16.bitmask.
    for (const opcode of [0x00, 0x51, 0x0e, 0x64]) {
      expect(code.includes(Buffer.of(0xfd, opcode))).toBe(true)
    }
  })

  it('is what its source gives', () => {
    const directory = mkdtempSync(join(tmpdir(), 'shardws-codec-'))
    try {
      const rebuilt = join(directory, 'codec.wasm')
      const asc = join(ROOT, 'node_modules', 'assemblyscript', 'bin', 'asc.js')
      execFileSync(
        process.execPath,
        [asc, 'assembly/index.ts', '--target', 'release', '--outFile', rebuilt],
        {
          cwd: ROOT,
          stdio: 'pipe',
        },
      )
      expect(readFileSync(SHIPPED).compare(readFileSync(rebuilt))).toBe(0)
    } finally {
      rmSync(directory, { recursive: true })
    }
  }, 60_000)
})
