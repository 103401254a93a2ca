// The package as a user gets it: packed, installed into a project of its own, imported, type-checked and started.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')

const { devDependencies } = createRequire(import.meta.url)('../../package.json') as {
  devDependencies: Record<string, string>
}

const PACKED = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'package.json',
  'dist/cli.js',
  'dist/codec/codec.wasm',
  'dist/index.d.ts',
  'dist/index.js',
  'dist/page/icon.svg',
  'dist/page/index.html',
  'dist/page/page.css',
  'dist/page/page.js',
  'dist/page/theme.js',
]

const APP = `import { defineApp } from 'shardws'

export default defineApp<{ name: string }>({
  upgrade: request => ({ data: { name: request.headers['x-name'] ?? 'nobody' } }),
  message(socket, data, isBinary) {
    const status: 'sent' | 'buffered' | 'dropped' = socket.send(isBinary ? data : \`\${socket.data.name}: \${data}\`)
    if (status === 'dropped') socket.close(1013, 'slow')
  },
})
`

const SERVER = `import { serve, type Server } from 'shardws'

const server: Server = await serve({ port: 0, workers: 1 })
await server.close()
`

// What must not compile, so that types that resolve to \`any\` are noticed.
const MISUSE = `import { defineApp, serve } from 'shardws'

// @ts-expect-error no such hook
defineApp({ massage() {} })
// @ts-expect-error the port is a number
await serve({ port: 'http' })
`

const CODEC = `import { type Decoder, loadCodec, type Message, type ProtocolError } from 'shardws/codec'

const codec = await loadCodec(fetch('/codec.wasm'))
const decoder: Decoder = codec.createDecoder({ role: 'client', maxPayload: 1000 })
export const texts: string[] = decoder
  .push(new Uint8Array(2))
  .flatMap((message: Message) => (message.type === 'text' ? [message.data] : []))
const compressed = codec.createDecoder({ role: 'client', deflate: true }).push(new Uint8Array(2))
export const payloads: Uint8Array<ArrayBuffer>[] = compressed
  .flatMap(message => (message.type === 'compressed' && !message.binary ? [message.data] : []))
// @ts-expect-error without deflate no message is compressed
decoder.push(new Uint8Array(2)).map(({ type }) => type === 'compressed')
const frames = codec.createDecoder({ role: 'server', messages: false }).push(new ArrayBuffer(0))
export const opcodes = frames.map(frame => (frame.type === 'error' ? frame.error.closeCode : frame.opcode))
export const error: ProtocolError | undefined = decoder.error
new RTCPeerConnection().createDataChannel('x').send(codec.encodeMessage('hi', { role: 'client' }))
codec.encodeMessage(new Uint8Array(2), { role: 'client', binary: false, rsv1: true })
// @ts-expect-error who sends must be said
codec.encodeMessage('hi')
// @ts-expect-error there is no such role
codec.createDecoder({ role: 'proxy' })
`

const exec = promisify(execFile)
let project: string
let packed: string[]

async function run(command: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await exec(command, args, { cwd: project, timeout: 120_000 })
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error })
  }
}

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'shardws-packed-'))
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }\n')
  // No scripts: the build is there, and a change in it would hit this run's other tests. Some versions of npm run
  // `prepare` all the same; without the second option its output precedes the JSON.
  const packing = await run('npm', 'pack', root, '--json', '--ignore-scripts', '--foreground-scripts=false')
  const [{ filename, files }] = JSON.parse(packing) as [{ filename: string; files: { path: string }[] }]
  packed = files.map(({ path }) => path)
  // Who uses the types brings Node's own.
  const nodeTypes = `@types/node@${devDependencies['@types/node']}`
  await run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${filename}`, nodeTypes)
}, 180_000)

afterAll(async () => {
  await rm(project, { recursive: true, force: true })
})

test('the tarball holds the build and the documents, nothing else', async () => {
  expect(packed).toEqual(expect.arrayContaining(PACKED))
  const sources = (await readdir(join(root, 'src'), { recursive: true })).filter(name => name.endsWith('.ts'))
  const built = sources.flatMap(name => [name.replace(/\.ts$/, '.js'), name.replace(/\.ts$/, '.d.ts')])
  const wanted = new Set([...PACKED, ...built.map(name => `dist/${name}`)])
  expect(packed.filter(path => !wanted.has(path))).toEqual([])
})

describe('the types', () => {
  const resolutions = [
    { module: 'nodenext', moduleResolution: 'nodenext' },
    { module: 'esnext', moduleResolution: 'bundler' },
  ]
  test.each(resolutions)('resolve with moduleResolution $moduleResolution', async resolution => {
    const compilerOptions = {
      ...resolution,
      target: 'es2022',
      lib: ['es2023'],
      types: ['node'],
      strict: true,
      noEmit: true,
      // The declarations are checked themselves, not only what is used of them.
      skipLibCheck: false,
    }
    const files = ['app.ts', 'server.ts', 'misuse.ts']
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    await writeFile(join(project, 'app.ts'), APP)
    await writeFile(join(project, 'server.ts'), SERVER)
    await writeFile(join(project, 'misuse.ts'), MISUSE)
    expect(await run(process.execPath, tsc, '-p', '.')).toBe('')
  })
})

test('the types of shardws/codec need none of Node, and all of them are right', async () => {
  const compilerOptions = {
    module: 'esnext',
    moduleResolution: 'bundler',
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    listFiles: true,
  }
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['codec.ts'] }))
  await writeFile(join(project, 'codec.ts'), CODEC)
  const files = (await run(process.execPath, tsc, '-p', '.')).trim().split('\n')
  expect(files.filter(file => file.includes('@types/node'))).toEqual([])
  const own = files.filter(file => file.includes('/shardws/dist/'))
  expect(own.filter(file => file.endsWith('/codec/index.d.ts'))).toHaveLength(1)
  // TypeScript before 5.7 knows neither of them with a parameter.
  const generic = own.filter(file => /(Uint8Array|ArrayBufferView)</.test(readFileSync(file, 'utf8')))
  expect(generic).toEqual([])
})

test('shardws/codec.wasm is where import.meta.resolve says, and is the one that is built in', async () => {
  const script = `import { readFileSync } from 'node:fs'
    import { loadCodec, loadCodecSync } from 'shardws/codec'
    const bytes = readFileSync(new URL(import.meta.resolve('shardws/codec.wasm')))
    const [item] = (await loadCodec(bytes)).createDecoder({ role: 'client' }).push(Uint8Array.of(0x81, 0))
    console.log(item.type, loadCodecSync(bytes).arena.length)`
  const output = await run(process.execPath, '--input-type=module', '-e', script)
  expect(output).toBe('text 262144\n')
})

test('the first example of docs/codec.md runs', async () => {
  const document = await readFile(join(root, 'docs', 'codec.md'), 'utf8')
  const source = /```js\n(import \{ loadCodec[\s\S]*?)```/.exec(document)?.[1] ?? ''
  expect(await run(process.execPath, '--input-type=module', '-e', source)).toBe('hi\n')
})

describe('the command', () => {
  test('serves and stops', async () => {
    const command = join(project, 'node_modules', '.bin', 'shardws')
    const server = spawn(process.execPath, [command, '--port', '0', '--workers', '2'], {
      cwd: project,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output: string[] = []
    const exited = once(server, 'exit')
    try {
      const port = await new Promise<string>((resolve, reject) => {
        for (const stream of [server.stdout, server.stderr]) {
          createInterface(stream).on('line', line => {
            output.push(line)
            const address = /wss?:\/\/\S+?:(\d+)/.exec(line)
            if (address?.[1] !== undefined) resolve(address[1])
          })
        }
        server.once('exit', () => reject(new Error(`it ended before it listened:\n${output.join('\n')}`)))
      })
      const client = new WebSocket(`ws://127.0.0.1:${port}`)
      await once(client, 'open')
      client.send('PING')
      const [answer, isBinary] = (await once(client, 'message')) as [Buffer, boolean]
      expect(answer.toString()).toBe('PONG')
      expect(isBinary).toBe(false)

      const closed = once(client, 'close')
      server.kill('SIGTERM')
      const [code] = (await closed) as [number]
      expect(code, 'clients are told that the server goes away').toBe(1001)
      expect(await exited, output.join('\n')).toEqual([0, null])
    } finally {
      server.kill('SIGKILL')
    }
  })
})
