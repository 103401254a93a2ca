import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'

/** One instruction: `RUN`, and what is behind it. */
interface Instruction {
  readonly name: string
  readonly text: string
}

/** The Dockerfile's instructions, comments and line ends that are escaped taken out. */
function readDockerfile(path: string): Instruction[] {
  return readFileSync(path, 'utf8')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter(line => line.trim() !== '')
    .map(line => {
      const [, name, text] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
      return { name, text }
    })
}

/** What a container of the image starts with. */
export interface Image {
  /** Where the commands run. */
  readonly directory: string
  readonly env: NodeJS.ProcessEnv
  readonly entrypoint: string[]
  readonly healthcheck: string[]
  readonly facts: ReadonlyMap<string, string>
  remove(): void
}

/**
 * Does what a Dockerfile says, without Docker: each stage is a directory, in which `COPY` and `RUN` do their work with
 * the programs of this machine. Paths in commands must be relative.
 *
 * @param context the build context, with its .dockerignore
 */
export function buildImage(context: string): Image {
  const root = mkdtempSync(join(tmpdir(), 'shardws-image-'))
  const stages = new Map<string, string>()
  let stage = ''
  let directory = ''
  const env: NodeJS.ProcessEnv = {}
  const facts = new Map<string, string>()
  for (const { name, text } of readDockerfile(join(context, 'Dockerfile'))) {
    facts.set(name, text)
    switch (name) {
      case 'FROM': {
        const [, as = 'last'] = /\bAS (\S+)$/.exec(text) ?? []
        stage = join(root, as)
        stages.set(as, stage)
        directory = stage
        break
      }
      case 'WORKDIR':
        directory = join(stage, text)
        mkdirSync(directory, { recursive: true })
        break
      case 'ENV': {
        const [variable, value] = text.split('=', 2) as [string, string]
        env[variable] = value
        break
      }
      case 'COPY':
        copy(text, context, stages, directory)
        break
      case 'RUN':
        execFileSync('sh', ['-c', text], {
          cwd: directory,
          env: { ...process.env, ...env, npm_config_prefer_offline: 'true' },
          stdio: ['ignore', 'ignore', 'inherit'],
        })
        break
      case 'USER':
      case 'EXPOSE':
      case 'STOPSIGNAL':
      case 'HEALTHCHECK':
      case 'ENTRYPOINT':
        break
      default:
        throw new Error(`what is ${name}?`)
    }
  }
  return {
    directory,
    env,
    facts,
    entrypoint: words(facts.get('ENTRYPOINT')),
    healthcheck: words(facts.get('HEALTHCHECK')?.replace(/^.*\bCMD /, '')),
    remove: () => rmSync(root, { recursive: true }),
  }
}

function words(text: string | undefined): string[] {
  return JSON.parse(text ?? '[]') as string[]
}

function copy(text: string, context: string, stages: ReadonlyMap<string, string>, directory: string): void {
  const [, from, rest] = /^(?:--from=(\S+) )?(.*)$/.exec(text) as RegExpExecArray
  const paths = rest.split(' ')
  const destination = paths.pop() as string
  const isIncluded = from === undefined ? contextFilter(context) : () => true
  for (const path of paths) {
    const source = from === undefined ? resolve(context, path) : join(stages.get(from) as string, path)
    const target = join(
      directory,
      destination,
      destination.endsWith('/') ? (path.split('/').at(-1) as string) : '',
    )
    cpSync(source, target, { recursive: true, filter: file => isIncluded(file) })
  }
}

/** Only the last pattern that fits counts, as in Docker. */
function contextFilter(context: string): (file: string) => boolean {
  const file = join(context, '.dockerignore')
  const patterns = existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(line => line !== '' && !line.startsWith('#'))
    : []
  return path => {
    const name = relative(context, path)
    if (name === '') return true
    const last = patterns.findLast(pattern => {
      const glob = pattern.replace(/^!/, '')
      return glob === '*' || glob === name || name.startsWith(`${glob}/`) || matches(name, glob)
    })
    return last === undefined || last.startsWith('!')
  }
}

/** A glob without directories. */
function matches(name: string, glob: string): boolean {
  const pattern = glob
    .split('*')
    .map(part => part.replaceAll(/[.\\]/g, '\\$&'))
    .join('[^/]*')
  return new RegExp(`^${pattern}$`).test(name)
}
