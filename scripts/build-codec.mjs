// Compiles assembly/ to dist/codec/codec.wasm (release) and build/codec.debug.wasm (debug, tests only), and writes the
// release build's bytes to src/codec/inlined.ts, for those who have no file to read it from.
// `asc` takes seconds, so a target whose inputs have the fingerprint of its last build is left alone. Contents and
// not dates are compared: a checkout or a deleted source changes what has to be built without a newer file.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const require = createRequire(import.meta.url)
const config = require(join(root, 'asconfig.json'))
const asc = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js')
const assembly = join(root, 'assembly')

const sources = readdirSync(assembly, { recursive: true })
  .filter(name => name.endsWith('.ts'))
  .toSorted((one, other) => (one < other ? -1 : 1))
const hash = createHash('sha256')
hash.update(require('assemblyscript/package.json').version)
hash.update(readFileSync(join(root, 'asconfig.json')))
for (const name of sources) hash.update(`\0${name}\0`).update(readFileSync(join(assembly, name)))
const fingerprint = hash.digest('hex')

for (const [target, { outFile }] of Object.entries(config.targets)) {
  const output = join(root, outFile)
  const record = join(root, 'build', `codec.${target}.sha256`)
  if (existsSync(output) && existsSync(record) && readFileSync(record, 'utf8') === fingerprint) continue

  mkdirSync(dirname(output), { recursive: true })
  const { status } = spawnSync(process.execPath, [asc, ...config.entries, '--target', target], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
  mkdirSync(dirname(record), { recursive: true })
  writeFileSync(record, fingerprint)
}

// Written only when it differs, so that the build of src/ stays incremental.
const bytes = readFileSync(join(root, config.targets.release.outFile))
const inlined = join(root, 'src', 'codec', 'inlined.ts')
const source = `// Made by scripts/build-codec.mjs.

/** The bytes of codec.wasm in base64. */
export const CODEC_WASM: string =
  '${bytes.toString('base64')}'
`
if (!existsSync(inlined) || readFileSync(inlined, 'utf8') !== source) writeFileSync(inlined, source)
