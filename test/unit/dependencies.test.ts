import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

/*
 * Which part of src/ may import which: dependencies point one way, and what is tested without sockets knows none.
 */

const SRC = resolve(import.meta.dirname, '../../src')

/** By folder of src/: the folders and the files beside them that it may import. */
const ALLOWED: Record<string, readonly string[]> = {
  codec: ['errors.ts', 'rfc6455.ts'],
  handshake: ['address.ts', 'errors.ts', 'rfc6455.ts'],
  protocol: ['codec', 'errors.ts', 'rfc6455.ts'],
  connection: [
    'codec',
    'handshake',
    'protocol',
    'address.ts',
    'client-counts.ts',
    'client-key.ts',
    'client-rates.ts',
    'app.ts',
    'errors.ts',
    'ledger.ts',
    'log.ts',
    'monotonic.ts',
    'options.ts',
    'rfc6455.ts',
    'socket.ts',
    'tcp-handle.ts',
  ],
  'built-in': ['connection', 'app.ts'],
  operation: ['handshake', 'ledger.ts'],
  'serve-options': ['address.ts', 'errors.ts', 'log.ts', 'options.ts', 'tls-options.ts'],
  shard: [
    'built-in',
    'codec',
    'connection',
    'handshake',
    'operation',
    'protocol',
    'address.ts',
    'client-counts.ts',
    'client-key.ts',
    'client-rates.ts',
    'app.ts',
    'built-in-app.ts',
    'errors.ts',
    'ledger.ts',
    'log.ts',
    'messages.ts',
    'monotonic.ts',
    'options.ts',
    'rfc6455.ts',
    'tcp-handle.ts',
    'tls-material.ts',
  ],
  primary: [
    'codec',
    'operation',
    'address.ts',
    'client-counts.ts',
    'client-key.ts',
    'client-rates.ts',
    'errors.ts',
    'ledger.ts',
    'log.ts',
    'messages.ts',
    'monotonic.ts',
    'options.ts',
    'rfc6455.ts',
    'serve-options.ts',
    'stop.ts',
    'tcp-handle.ts',
    'tls-material.ts',
    'tls-options.ts',
    'version.ts',
  ],
}

/** Files that are what the rule leaves room for. */
const EXCEPTIONS: Record<string, readonly string[]> = {
  // What is published as shardws/codec has the parts of the handshake that know no request.
  'codec/index.ts': ['handshake'],
  // One shard in the primary's thread, where sockets can't be handed over.
  'primary/local-shard.ts': ['shard'],
}

/** Modules of Node that the parts without sockets may import, by file. */
const NODE_MODULES: Record<string, readonly string[]> = {
  // Reads the binary.
  'codec/module.ts': ['node:fs', 'node:url'],
}

function imports(file: string): string[] {
  const source = readFileSync(resolve(SRC, file), 'utf8')
  return [...source.matchAll(/ from '([^'\n]+)'$|import\('([^'\n]+)'\)/gm)].map(match => match[1] ?? match[2])
}

function filesOf(folder: string): string[] {
  return readdirSync(join(SRC, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(folder, name))
}

describe.each(Object.keys(ALLOWED))('src/%s', folder => {
  it.each(filesOf(folder))('%s imports only what its folder may', file => {
    for (const specifier of imports(file).filter(name => name.startsWith('.'))) {
      const target = relative(SRC, resolve(SRC, dirname(file), specifier)).replace(/\.js$/, '.ts')
      const part = target.split('/', 1)[0]
      if (part === folder) continue
      expect([...ALLOWED[folder], ...(EXCEPTIONS[file] ?? [])], `${file} imports ${target}`).toContain(part)
    }
  })
})

describe.each(['codec', 'handshake', 'protocol'])(
  'src/%s, which knows no socket, clock or chance',
  folder => {
    it.each(filesOf(folder))('%s', file => {
      const foreign = imports(file).filter(name => !name.startsWith('.'))
      expect(foreign.filter(name => !(NODE_MODULES[file] ?? []).includes(name))).toEqual([])
      const source = readFileSync(join(SRC, file), 'utf8')
      expect(source).not.toMatch(/Date\.now|new Date|performance\.now|Math\.random|setTimeout|setImmediate/)
    })
  },
)

it('only src/primary/pool.ts knows Piscina', () => {
  const users = filesOf('.').filter(file => imports(file).includes('piscina'))
  expect(users).toEqual(['primary/pool.ts'])
})

describe('page/, which runs in browsers', () => {
  const page = resolve(SRC, '../page')
  const files = readdirSync(page).filter(name => name.endsWith('.ts'))

  it.each(files)('%s imports only its neighbours and what is published as shardws/codec', file => {
    const foreign = imports(join(page, file)).filter(name => !/^\.\/[\w-]+\.js$/.test(name))
    expect(foreign.filter(name => name !== '../src/codec/index.js')).toEqual([])
  })
})
