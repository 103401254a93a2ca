// The lock file names versions and digests but no registry, so that it serves whichever one npm is configured for
// (.npmrc: omit-lockfile-registry-resolved), and it is complete: where a registry lacks a tool's binary for some other
// platform, npm leaves that entry out without a word and `npm ci` then refuses the file.
import { readFileSync } from 'node:fs'

const ROOT = new URL('../', import.meta.url)

/** Whether Node's resolution finds `name` from the package at `path`. */
function isLocked(packages, path, name) {
  for (let from = path; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')))) {
    if (`${from}/node_modules/${name}`.replace(/^\//, '') in packages) return true
    if (from === '') return false
  }
}

function faultsOf(file) {
  const { packages } = JSON.parse(readFileSync(new URL(file, ROOT), 'utf8'))
  const faults = []
  for (const [path, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!isLocked(packages, path, name))
        faults.push(`${path}: its ${name} is missing; take a version that has it`)
    }
    if (path === '') continue
    if (entry.resolved !== undefined) faults.push(`${path}: resolved to ${entry.resolved}`)
    if (entry.integrity === undefined && entry.inBundle !== true) faults.push(`${path}: no integrity`)
  }
  return faults
}

for (const file of ['package-lock.json', 'bench/package-lock.json']) {
  const faults = faultsOf(file)
  if (faults.length === 0) continue
  console.error(`${file}:\n  ${faults.join('\n  ')}`)
  process.exitCode = 1
}
