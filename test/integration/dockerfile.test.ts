// The Dockerfile's instructions, done by hand in empty directories: nothing that they need is missing in the build
// context, and what comes out serves, says that it is healthy, reloads and stops.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { needs } from '../needs.js'
import { buildImage, type Image } from '../support/dockerfile.js'
import { soon, until } from '../support/until.js'

const context = fileURLToPath(new URL('../..', import.meta.url))
/** The major version that the image has. */
const [, major] = /^FROM node:(\d+)-/m.exec(readFileSync(join(context, 'Dockerfile'), 'utf8')) ?? []

describe(
  'the image',
  needs(process.version.startsWith(`v${major}.`), 'needs the Node of the Dockerfile'),
  () => {
    let image: Image
    let container: ChildProcess | undefined

    beforeAll(() => {
      image = buildImage(context)
    }, 300_000)
    afterAll(() => {
      container?.kill('SIGKILL')
      image.remove()
    })

    test('serves the application in /srv/app, is healthy, reloads at SIGHUP and ends at STOPSIGNAL', async () => {
      const app = (version: string): void =>
        writeFileSync(
          join(image.directory, 'app.mjs'),
          `import { defineApp } from 'shardws'
export default defineApp({ message: (socket, text) => socket.send('${version} ' + text) })\n`,
        )
      app('a')
      const [node, ...args] = image.entrypoint
      expect(node).toBe('node')
      const env = { PATH: process.env.PATH, ...image.env }
      // Ports that are free here; the last of a flag counts.
      const own = ['--port', '0', '--host', '127.0.0.1', '--admin-port', '0', '--workers', '2', 'app.mjs']
      container = spawn(process.execPath, [...args, ...own], { cwd: image.directory, env })
      let output = ''
      for (const stream of [container.stdout, container.stderr]) {
        stream?.on('data', chunk => {
          output += String(chunk)
        })
      }
      const find = async (pattern: RegExp): Promise<string> =>
        (await until(`${pattern} in the output`, () => pattern.exec(output)))[1]
      const url = await find(/listening on (ws:\S+)/)
      const adminPort = await find(/metrics at http:\/\/127\.0\.0\.1:(\d+)\//)
      expect(output).toContain('"event":"server.listening"')
      expect(await ask(url, 'hello')).toBe('a hello')

      const [, ...health] = image.healthcheck.map(word => word.replace('9001', adminPort))
      const check = (): Promise<unknown> =>
        promisify(execFile)(process.execPath, health, { env, timeout: 20_000 })
      await check()

      app('b')
      container.kill('SIGHUP')
      await find(/(SIGHUP: new connections)/)
      expect(await ask(url, 'hello')).toBe('b hello')

      const exit = once(container, 'exit')
      container.kill(image.facts.get('STOPSIGNAL') as NodeJS.Signals)
      expect((await soon('its end', exit))[0]).toBe(0)
      await expect(check()).rejects.toMatchObject({ code: 1 })
    })

    test('has what runs, and nothing else', () => {
      const installed = join(image.directory, 'node_modules/shardws')
      const { dependencies, optionalDependencies, version } = JSON.parse(
        readFileSync(join(installed, 'package.json'), 'utf8'),
      ) as Record<string, Record<string, string>>
      for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
        expect(existsSync(join(installed, 'node_modules', name)), name).toBe(true)
      }
      for (const name of ['typescript', 'vitest', 'assemblyscript']) {
        expect(existsSync(join(installed, 'node_modules', name)), name).toBe(false)
      }
      expect(version).toBeDefined()
      const { facts } = image
      expect(facts.get('USER')).toBe('node')
    })
  },
)

async function ask(url: string, text: string): Promise<string> {
  const socket = new WebSocket(url)
  await soon('the connection opens', once(socket, 'open'))
  socket.send(text)
  const [data] = (await soon('the answer', once(socket, 'message'))) as [Buffer]
  socket.close()
  return data.toString()
}
