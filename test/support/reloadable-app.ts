import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** How the next shards start. */
export type Mode = 'ok' | 'wait' | 'no-syntax' | 'throw' | 'fail' | 'fail in shard 1' | 'hang'

const SOURCE = `
import { appendFileSync, existsSync } from 'node:fs'
import { mode, version } from './version.mjs'

let shard
const tell = text => appendFileSync(new URL('journal', import.meta.url), text + '\\n')
if (mode === 'throw') throw new Error('the new code is broken')

export default {
  async start(context) {
    shard = context
    if (mode === 'hang') await new Promise(() => {})
    if (mode === 'fail' || mode === 'fail in shard ' + shard.index) {
      // Once the others have started.
      await new Promise(resolve => setTimeout(resolve, 300))
      throw new Error('the new code does not start')
    }
    tell('start ' + version)
    // Until there is a file of that name.
    while (mode === 'wait' && !existsSync(new URL('go', import.meta.url))) {
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  },
  stop() {
    tell('stop ' + version)
  },
  message(socket, data) {
    if (data === 'crash') {
      setImmediate(() => {
        throw new RangeError('crashed on demand')
      })
    }
    if (data === 'block') {
      // Until there is a file of that name.
      tell('blocked')
      while (!existsSync(new URL('go', import.meta.url)));
      return
    }
    socket.send([version, shard.generation, shard.index, data].join(' '))
  },
  http(request, response) {
    response.end(version)
  },
}
`

/** An application in a directory of its own that says which version it is, in a module that `app.mjs` imports. */
export class ReloadableApp {
  readonly directory = mkdtempSync(join(tmpdir(), 'shardws-'))
  readonly path = join(this.directory, 'app.mjs')

  constructor(version = 'a') {
    writeFileSync(this.path, SOURCE)
    this.write(version)
  }

  /** Puts another version there. */
  write(version: string, mode: Mode = 'ok'): void {
    const source = `export const version = '${version}', mode = '${mode}'\n`
    // At once: shards may be loading it.
    const file = join(this.directory, 'version.mjs')
    writeFileSync(`${file}.new`, mode === 'no-syntax' ? 'export const =' : source)
    renameSync(`${file}.new`, file)
  }

  /** What the shards did: `start a`, `stop a`, ... */
  journal(): string[] {
    const file = join(this.directory, 'journal')
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
  }

  /** Has shards that block, or wait with their start, go on. */
  go(): void {
    writeFileSync(join(this.directory, 'go'), '')
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}
