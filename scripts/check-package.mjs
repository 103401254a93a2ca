// Packs the package as npm would publish it and looks at the tarball with publint and Are The Types Wrong.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const directory = mkdtempSync(join(tmpdir(), 'shardws-pack-'))

function run(command, ...args) {
  const { status, stdout, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (error !== undefined) throw error
  process.stdout.write(stdout)
  if (status !== 0) process.exitCode = 1
  return stdout
}

try {
  // The build has run already: lifecycle scripts would only rewrite dist/ below tests that use it.
  const name = run('npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', directory).trim()
  const tarball = join(directory, name)
  run(join(root, 'node_modules/.bin/publint'), 'run', tarball, '--strict')
  run(join(root, 'node_modules/.bin/attw'), tarball, '--profile', 'esm-only')
} finally {
  rmSync(directory, { recursive: true, force: true })
}
