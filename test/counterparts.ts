import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Software from Debian that some tests talk to. Where it is missing they are left out, and the report says so. */
export interface Counterpart {
  /** The skip reason of the tests that need it: `needs(chromiumPath(), counterparts.chromium.reason)`. */
  readonly reason: string
  readonly debianPackage: string
}

export const counterparts = {
  chromium: { reason: 'Chromium is not installed', debianPackage: 'chromium' },
  pythonWebsockets: { reason: 'websockets for Python is not installed', debianPackage: 'python3-websockets' },
  promtool: { reason: 'promtool is not installed', debianPackage: 'prometheus' },
  haproxy: { reason: 'HAProxy is not installed', debianPackage: 'haproxy' },
  nginx: { reason: 'nginx is not installed', debianPackage: 'nginx-light' },
  nginxStream: {
    reason: 'the stream module of nginx is not installed',
    debianPackage: 'libnginx-mod-stream',
  },
  systemd: { reason: 'systemd-socket-activate is not installed', debianPackage: 'systemd' },
} as const satisfies Record<string, Counterpart>

/** Installs every counterpart, on Debian and its relatives. */
export const installCommand = `sudo apt-get install -y ${Object.values(counterparts)
  .map(({ debianPackage }) => debianPackage)
  .join(' ')}`

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function find(name: string, ...elsewhere: string[]): string | undefined {
  return [...(process.env.PATH ?? '').split(delimiter), ...elsewhere]
    .map(directory => join(directory, name))
    .find(isExecutable)
}

/** Path of the Chromium to test with, undefined where there is none. */
export const chromiumPath = (): string | undefined => find('chromium')

/** Path of HAProxy, undefined where there is none. */
export const haproxyPath = (): string | undefined => find('haproxy', '/usr/sbin')

/** Path of nginx, undefined where there is none. */
export const nginxPath = (): string | undefined => find('nginx', '/usr/sbin')

/** Path of the module with which nginx passes TCP on, undefined where there is none. */
export function nginxStreamModule(): string | undefined {
  return ['/usr/lib/nginx/modules/ngx_stream_module.so'].find(path => existsSync(path))
}

/** Path of the program that starts another as systemd does when the first client connects, undefined where there is none. */
export const socketActivate = (): string | undefined => find('systemd-socket-activate')

/** Path of the program that checks units of systemd, undefined where there is none. */
export const systemdAnalyze = (): string | undefined => find('systemd-analyze')

/** Path of Prometheus' tool that checks metrics, undefined where there is none. */
export const promtool = (): string | undefined => find('promtool')

/** A program that bench/package.json brings for this platform, or one in PATH; undefined where there is neither. */
function program(name: string, installed: string): string | undefined {
  const candidates = (process.env.PATH ?? '').split(delimiter).map(directory => join(directory, name))
  return [fileURLToPath(new URL(`../bench/node_modules/${installed}`, import.meta.url)), ...candidates].find(
    isExecutable,
  )
}

/** Other runtimes; `npm ci --prefix bench` installs the versions that are pinned there. */
export const runtimes = {
  deno: {
    reason: 'Deno is not installed (npm ci --prefix bench)',
    path: () => program('deno', '@deno/linux-x64-glibc/deno'),
  },
  bun: {
    reason: 'Bun is not installed (npm ci --prefix bench)',
    path: () => program('bun', '@oven/bun-linux-x64/bin/bun'),
  },
} as const

/** The Python interpreter that can import `websockets`, undefined where there is none. */
export function pythonWebsockets(): string | undefined {
  // Debian's package belongs to Debian's interpreter, which need not be the first one in PATH.
  return ['/usr/bin/python3', 'python3'].find(
    python =>
      spawnSync(python, ['-c', 'import websockets'], { stdio: 'ignore', timeout: 20_000 }).status === 0,
  )
}
