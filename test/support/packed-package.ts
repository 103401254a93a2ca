import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const exec = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** An empty project that has the package as it would be published, without its dependencies. */
export class PackedPackage {
  readonly directory: string

  static async install(): Promise<PackedPackage> {
    const directory = await mkdtemp(join(tmpdir(), 'shardws-codec-'))
    const target = join(directory, 'node_modules', 'shardws')
    await mkdir(target, { recursive: true })
    // No scripts: the build is there, and a change in it would hit this run's other tests.
    const { stdout } = await exec(
      'npm',
      ['pack', root, '--json', '--ignore-scripts', '--foreground-scripts=false'],
      {
        cwd: directory,
        timeout: 60_000,
      },
    )
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
    await exec('tar', ['-xzf', filename, '--strip-components=1', '-C', target], { cwd: directory })
    await writeFile(join(directory, 'package.json'), '{ "private": true, "type": "module" }\n')
    return new PackedPackage(directory)
  }

  private constructor(directory: string) {
    this.directory = directory
  }

  /** A path in the project. */
  path(...parts: string[]): string {
    return join(this.directory, ...parts)
  }

  /** Gives it its dependencies, those of this repository. */
  async linkDependencies(): Promise<void> {
    for (const name of ['piscina', 'koffi']) {
      await symlink(join(root, 'node_modules', name), this.path('node_modules', name))
    }
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true })
  }
}
