// A page with shardws/codec in it, of the packed package: built by each bundler, then run in Chromium under a strict
// Content-Security-Policy, in the page and in a worker.
import { copyFile, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import * as esbuild from 'esbuild'
import { rollup } from 'rollup'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { check, expected } from '../browser/codec-check.mjs'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'
import { Chromium } from '../support/chromium.js'
import { PackedPackage } from '../support/packed-package.js'
import { StaticServer } from '../support/static-server.js'

/** Bytes of the whole module, minified and gzipped; more than half of it is the binary. */
const MAX_SIZE = 12 * 1024
const ENTRIES = ['main.js', 'worker.js']

const fixture = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

let project: PackedPackage

beforeAll(async () => {
  project = await PackedPackage.install()
  await cp(fixture('fixtures/codec-page'), project.path('page'), { recursive: true })
  await copyFile(fixture('browser/codec-check.mjs'), project.path('page', 'codec-check.mjs'))
})

afterAll(() => project.remove())

/** Each takes the page's sources and leaves a page in `target`. */
const bundlers: Record<string, (source: string, target: string) => Promise<void>> = {
  async Vite(source, target) {
    const { build } = await import('vite')
    await build({
      root: source,
      configFile: false,
      logLevel: 'error',
      build: { outDir: target, emptyOutDir: true },
    })
  },

  async webpack(source, target) {
    const { default: webpack } = await import('webpack')
    const compiler = webpack({
      mode: 'production',
      context: source,
      entry: './main.js',
      output: { path: target, filename: 'main.js' },
    })
    if (compiler === null) throw new Error('webpack gave no compiler')
    const stats = await promisify(compiler.run.bind(compiler))()
    await promisify(compiler.close.bind(compiler))()
    if (stats?.hasErrors() || stats?.hasWarnings()) throw new Error(stats.toString())
    await copyFile(join(source, 'index.html'), join(target, 'index.html'))
  },

  async esbuild(source, target) {
    const { warnings } = await esbuild.build({
      entryPoints: ENTRIES.map(name => join(source, name)),
      outdir: target,
      bundle: true,
      minify: true,
      format: 'esm',
    })
    expect(warnings).toEqual([])
    await copyFile(join(source, 'index.html'), join(target, 'index.html'))
  },

  async Rollup(source, target) {
    const bundle = await rollup({
      input: ENTRIES.map(name => join(source, name)),
      // Without it Rollup finds no packages at all.
      plugins: [nodeResolve()],
      onwarn: warning => {
        throw new Error(warning.message)
      },
    })
    await bundle.write({ dir: target, format: 'esm' })
    await bundle.close()
    await copyFile(join(source, 'index.html'), join(target, 'index.html'))
  },

  async 'no bundler'(source, target) {
    await cp(source, target, { recursive: true })
    for (const name of ENTRIES) {
      const script = await readFile(join(source, name), 'utf8')
      await writeFile(join(target, name), script.replace("'shardws/codec'", "'/package/dist/codec/index.js'"))
    }
  },
}

const chromium = chromiumPath()

describe('a page', needs(chromium, counterparts.chromium.reason), () => {
  let browser: Chromium

  beforeAll(async () => {
    browser = await Chromium.start(chromium ?? '')
  })

  afterAll(() => browser.close())

  /** What the page's global `facts` is when the bundler has built it. */
  async function factsOf(page: string, bundler: string): Promise<unknown> {
    const target = project.path('built')
    await rm(target, { recursive: true, force: true })
    await mkdir(target)
    await bundlers[bundler](project.path(page), target)
    const packageRoot = project.path('node_modules', 'shardws')
    const server = await StaticServer.start({
      '': target,
      package: packageRoot,
      'codec.wasm': join(packageRoot, 'dist', 'codec', 'codec.wasm'),
    })
    try {
      await browser.open(`${server.url}/`)
      return await browser.evaluate('facts')
    } finally {
      await server.close()
    }
  }

  test.each(Object.keys(bundlers))(
    'built by %s runs in Chromium',
    async name => {
      expect(await factsOf('page', name)).toEqual([expected, expected, 256 * 1024])
    },
    90_000,
  )

  test.each([
    ['Vite', "import url from 'shardws/codec.wasm?url'"],
    ['webpack', "const url = new URL('shardws/codec.wasm', import.meta.url)"],
  ])('that streams codec.wasm, which %s has found, runs in Chromium', async (name, line) => {
    const codecs = "import { FrameCodec } from 'shardws/codec'"
    const facts =
      'globalThis.facts = WebAssembly.compileStreaming(fetch(url)).then(module => new FrameCodec(module).arena.length)'
    await mkdir(project.path('streaming'), { recursive: true })
    await writeFile(project.path('streaming', 'main.js'), [codecs, line, facts].join('\n'))
    await copyFile(project.path('page', 'index.html'), project.path('streaming', 'index.html'))
    expect(await factsOf('streaming', name)).toBe(256 * 1024)
  })
})

describe('a bundle', () => {
  async function bundled(source: string): Promise<string> {
    const { outputFiles, warnings } = await esbuild.build({
      stdin: { contents: source, resolveDir: project.directory },
      bundle: true,
      minify: true,
      format: 'esm',
      write: false,
    })
    expect(warnings).toEqual([])
    return outputFiles[0].text
  }

  /** How the inlined bytes begin: \0asm and version 1. */
  const WASM = 'AGFzbQEAAAA'

  test(`of everything is not larger than ${MAX_SIZE} bytes gzipped`, async () => {
    const bundle = await bundled("export * from 'shardws/codec'")
    expect(bundle).toContain(WASM)
    const { length } = await promisify(gzip)(bundle, { level: 9 })
    expect(length).toBeLessThanOrEqual(MAX_SIZE)
    expect(length, 'and the limit is not far away').toBeGreaterThan(MAX_SIZE / 2)
  })

  test.each([
    ['nothing', "import * as codec from 'shardws/codec'", 1],
    ['the accept key', "import { acceptKey } from 'shardws/codec'; console.log(acceptKey('x'))", 4000],
    ['a parser', "import { parseExtensions } from 'shardws/codec'; console.log(parseExtensions('x'))", 3500],
    ['a constant', "import { Opcode } from 'shardws/codec'; console.log(Opcode.TEXT)", 800],
  ])('of %s has nothing else in it', async (_name, source, most) => {
    const bundle = await bundled(source)
    expect(bundle.length, bundle.slice(0, 200)).toBeLessThanOrEqual(most)
  })

  test('for a module that is got otherwise has no bytes in it', async () => {
    const bundle = await bundled(
      "import { FrameCodec } from 'shardws/codec'; globalThis.FrameCodec = FrameCodec",
    )
    expect(bundle).not.toContain(WASM)
    expect(bundle).toContain('createDecoder')
  })

  test('runs where it was built', async () => {
    await writeFile(project.path('bundle.mjs'), await bundled("export * from 'shardws/codec'"))
    const api = (await import(project.path('bundle.mjs'))) as Parameters<typeof check>[0]
    expect(await check(api)).toEqual(expected)
  })
})
