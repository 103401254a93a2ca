// Packs the package once for all files of this folder.
import type { TestProject } from 'vitest/node'
import { chromiumPath } from '../counterparts.js'
import { PackedPackage } from '../support/packed-package.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The command of the packed package. */
    packedCli: string
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (chromiumPath() === undefined) return undefined
  const packed = await PackedPackage.install()
  await packed.linkDependencies()
  project.provide('packedCli', packed.path('node_modules', 'shardws', 'dist', 'cli.js'))
  return () => packed.remove()
}
