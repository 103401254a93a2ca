import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { haproxyPath, nginxPath, nginxStreamModule } from '../counterparts.js'
import { soon, until } from './until.js'

/** A proxy in a process of its own, in the foreground. */
export class ProxyProcess {
  readonly #process: ChildProcess
  #output = ''

  /** @param config the text of haproxy.cfg, after what is the same for all */
  static haproxy(directory: string, config: string, ports: readonly number[]): Promise<ProxyProcess> {
    const file = join(directory, 'haproxy.cfg')
    writeFileSync(file, `${HAPROXY_COMMON}\n${config}`)
    return ProxyProcess.#start(haproxyPath() as string, ['-db', '-f', file], ports)
  }

  /** @param http the inside of `http { }` @param stream that of `stream { }`, which needs the module */
  static nginx(
    directory: string,
    http: string,
    stream: string,
    ports: readonly number[],
  ): Promise<ProxyProcess> {
    const file = join(directory, 'nginx.conf')
    mkdirSync(join(directory, 'logs'), { recursive: true })
    const module = nginxStreamModule()
    writeFileSync(
      file,
      `${process.getuid?.() === 0 ? 'user root;' : ''} daemon off; pid ${directory}/nginx.pid; error_log stderr warn; worker_processes 1;
      ${module === undefined ? '' : `load_module ${module};`}
      events { worker_connections 100; }
      http {
        access_log off;
        ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${directory}/${name};`).join('\n')}
        ${http}
      }
      ${module === undefined ? '' : `stream { ${stream} }`}`,
    )
    return ProxyProcess.#start(nginxPath() as string, ['-p', directory, '-e', 'stderr', '-c', file], ports)
  }

  static async #start(
    program: string,
    args: readonly string[],
    ports: readonly number[],
  ): Promise<ProxyProcess> {
    const proxy = new ProxyProcess(spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }))
    for (const port of ports) {
      await until(`the proxy listens on ${port}`, () => {
        if (proxy.#process.exitCode !== null) throw new Error(`the proxy ended:\n${proxy.#output}`)
        return isListening(port)
      })
    }
    return proxy
  }

  private constructor(child: ChildProcess) {
    this.#process = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
      })
    }
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exit = once(this.#process, 'exit')
    // Both end at once at SIGTERM, with what they serve.
    this.#process.kill('SIGTERM')
    await soon('the proxy ends', exit)
  }
}

const HAPROXY_COMMON = `
global
  maxconn 200
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
`

/** Ports that were free a moment ago, for programs that can't say which one they were given. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => once(server.close(), 'close')))
  return ports
}

function isListening(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
