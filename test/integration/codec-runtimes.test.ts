// The packed shardws/codec in Node, in a worker thread of it, in Deno and in Bun and in workers of theirs.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expected } from '../browser/codec-check.mjs'
import { runtimes } from '../counterparts.js'
import { needs } from '../needs.js'
import { PackedPackage } from '../support/packed-package.js'
import { soon } from '../support/until.js'

const script = fileURLToPath(new URL('../fixtures/codec-runtime.mjs', import.meta.url))

let project: PackedPackage
let api: string

beforeAll(async () => {
  project = await PackedPackage.install()
  api = pathToFileURL(project.path('node_modules', 'shardws', 'dist', 'codec', 'index.js')).href
})

afterAll(() => project.remove())

async function factsOf(command: string, ...args: string[]): Promise<unknown> {
  const home = project.path('home')
  await mkdir(home, { recursive: true })
  const { stdout } = await promisify(execFile)(command, [...args, script, api], {
    cwd: project.directory,
    timeout: 50_000,
    env: { ...process.env, HOME: home, DENO_DIR: home, DENO_NO_UPDATE_CHECK: '1' },
  })
  return JSON.parse(stdout)
}

describe('shardws/codec', () => {
  test('works in Node', async () => {
    expect(await factsOf(process.execPath)).toEqual([expected, null, []])
  })

  test('works in a worker thread', async () => {
    const source = `const { parentPort, workerData } = require('node:worker_threads')
      Promise.all(workerData.map(url => import(url)))
        .then(([api, { check }]) => check(api))
        .then(facts => parentPort.postMessage(facts))`
    const checker = new URL('../browser/codec-check.mjs', import.meta.url).href
    const worker = new Worker(source, { eval: true, workerData: [api, checker] })
    try {
      expect(await soon('facts of the worker', once(worker, 'message'))).toEqual([expected])
    } finally {
      await worker.terminate()
    }
  })

  const deno = runtimes.deno.path()
  test('works in Deno and its workers', needs(deno, runtimes.deno.reason), async () => {
    const facts = await factsOf(deno ?? '', 'run', '--allow-read', '--no-config', '--no-lock')
    expect(facts).toEqual([expected, expected, []])
  })

  const bun = runtimes.bun.path()
  test('works in Bun and its workers', needs(bun, runtimes.bun.reason), async () => {
    expect(await factsOf(bun ?? '', 'run')).toEqual([expected, expected, []])
  })
})
