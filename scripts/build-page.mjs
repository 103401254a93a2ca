// Makes dist/page/ of page/: one script, one that runs before the page is painted, one style sheet, index.html and the
// icon, as the built-in application serves them.
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const source = join(root, 'page')
const target = join(root, 'dist', 'page')

mkdirSync(target, { recursive: true })
for (const name of readdirSync(target)) rmSync(join(target, name), { recursive: true })
for (const name of ['index.html', 'icon.svg']) copyFileSync(join(source, name), join(target, name))
const options = {
  absWorkingDir: root,
  outdir: target,
  bundle: true,
  minify: true,
  charset: 'utf8',
  // The first that have WebAssembly SIMD and private methods: index.html and docs/page.md name them.
  target: ['chrome91', 'firefox90', 'safari16.4'],
  logLevel: 'warning',
}
await build({
  ...options,
  entryPoints: [join(source, 'page.ts'), join(source, 'page.css')],
  format: 'esm',
})
await build({ ...options, entryPoints: [join(source, 'theme.ts')], format: 'iife' })
