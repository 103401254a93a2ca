// Compiles src/ to dist/ incrementally and keeps dist/ to what the sources make: tsc alone neither removes the output
// of a source that is gone nor, trusting its build information, writes again an output that was deleted.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
// Of scripts/build-page.mjs.
const page = join(dist, 'page')
const buildInfo = join(root, 'build', 'tsconfig.build.tsbuildinfo')
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')

const outputs = new Set(
  readdirSync(join(root, 'src'), { recursive: true })
    .filter(name => name.endsWith('.ts'))
    .flatMap(name => ['.js', '.d.ts'].map(extension => join(dist, name.replace(/\.ts$/, extension)))),
)

if ([...outputs].some(path => !existsSync(path))) rmSync(buildInfo, { force: true })

if (existsSync(dist)) {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.parentPath === page) continue
    if (!entry.isDirectory() && !entry.name.endsWith('.wasm') && !outputs.has(path)) rmSync(path)
  }
}

const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
})
process.exitCode = status ?? 1
