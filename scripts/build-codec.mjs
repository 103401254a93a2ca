// Compiles assembly/ to dist/codec/codec.wasm (release) and build/codec.debug.wasm (debug, tests only),
// each only when a source is newer than it: `asc` takes seconds, an unchanged codec none.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const config = createRequire(import.meta.url)(join(root, 'asconfig.json'))
const asc = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js')

const modifiedMs = path => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
const sources = [
  join(root, 'asconfig.json'),
  ...readdirSync(join(root, 'assembly')).map(name => join(root, 'assembly', name)),
]
const newestSource = Math.max(...sources.map(modifiedMs))

for (const [target, { outFile }] of Object.entries(config.targets)) {
  const output = join(root, outFile)
  if (modifiedMs(output) > newestSource) continue
  mkdirSync(dirname(output), { recursive: true })
  const { status } = spawnSync(process.execPath, [asc, ...config.entries, '--target', target], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
