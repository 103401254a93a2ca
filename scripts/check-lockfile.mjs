// The lock file names versions and digests but no registry, so that it serves whichever one npm is configured for
// (.npmrc: omit-lockfile-registry-resolved), and it is complete: where a registry lacks a tool's binary for some other
// platform, npm leaves that entry out without a word and `npm ci` then refuses the file.
import { readFileSync } from 'node:fs'

const lockfile = new URL('../package-lock.json', import.meta.url)
const { packages } = JSON.parse(readFileSync(lockfile, 'utf8'))
const faults = []

/** Whether Node's resolution finds `name` from the package at `path`. */
function isLocked(path, name) {
  for (let from = path; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')))) {
    if (`${from}/node_modules/${name}`.replace(/^\//, '') in packages) return true
    if (from === '') return false
  }
}

for (const [path, entry] of Object.entries(packages)) {
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (!isLocked(path, name)) faults.push(`${path}: its ${name} is missing; take a version that has it`)
  }
  if (path === '') continue
  if (entry.resolved !== undefined) faults.push(`${path}: resolved to ${entry.resolved}`)
  if (entry.integrity === undefined && entry.inBundle !== true) faults.push(`${path}: no integrity`)
}

if (faults.length > 0) {
  console.error(`package-lock.json:\n  ${faults.join('\n  ')}`)
  process.exitCode = 1
}
