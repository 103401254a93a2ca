// The lock file names versions and digests but no registry, so that it serves whichever one npm is configured for
// (.npmrc: omit-lockfile-registry-resolved). This check fails when an address has come in.
import { readFileSync } from 'node:fs'

const lockfile = new URL('../package-lock.json', import.meta.url)
const { packages } = JSON.parse(readFileSync(lockfile, 'utf8'))
const faults = []

for (const [path, entry] of Object.entries(packages)) {
  if (path === '') continue
  if (entry.resolved !== undefined) faults.push(`${path}: resolved to ${entry.resolved}`)
  if (entry.integrity === undefined && entry.inBundle !== true) faults.push(`${path}: no integrity`)
}
// Anything else that looks like an address, but for the places where packages ask for donations.
for (const line of readFileSync(lockfile, 'utf8').split('\n')) {
  if (/https?:\/\//.test(line) && !/^\s+"url": "/.test(line)) faults.push(line.trim())
}

if (faults.length > 0) {
  console.error(`package-lock.json must not depend on a registry:\n  ${[...new Set(faults)].join('\n  ')}`)
  console.error('Run: npm install --package-lock-only --omit-lockfile-registry-resolved')
  process.exitCode = 1
}
