import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { OptionError } from '../errors.js'
import { isTcpHandle, type TcpHandle, takeHandle } from '../tcp-handle.js'

/** Where connections come from: an address and port, a Unix domain socket, or a descriptor that listens already. */
export interface ListenPlace {
  port: number
  host: string
  /** Path of a Unix domain socket; `port` and `host` are not looked at then. */
  unix: string | undefined
  /** Its permissions in octal, such as `660`; undefined for what the process' umask leaves. */
  unixMode: string | undefined
  /** Number of a descriptor; nothing else is looked at then. */
  fd: number | undefined
}

export interface Listener extends ListenPlace {
  backlog: number
  /** A connection was accepted; nothing is read from it. */
  onHandle: (handle: TcpHandle) => void
  /** A connection could not be accepted; the server goes on. */
  onAcceptError: (error: Error) => void
}

/**
 * Listens for connections. They stay paused, half-open and without Nagle's delay, and are told apart no further.
 *
 * When the process has no descriptor left, libuv closes what it can't accept, so that the backlog does not make the
 * event loop spin, and goes on once there are some again.
 *
 * @throws OptionError (`ERR_LISTEN`) with the system's error as its cause
 */
export async function listen(options: Listener): Promise<Server> {
  const { unix, unixMode, fd } = options
  if (fd === undefined && unix !== undefined) {
    await removeStale(unix)
    const server = await open(options, { path: unix })
    if (unixMode !== undefined) chmodSync(unix, Number.parseInt(unixMode, 8))
    return server
  }
  const { port, host } = options
  return open(options, fd === undefined ? { port, host } : { fd })
}

function open(
  options: Listener,
  where: { port: number; host: string } | { path: string } | { fd: number },
): Promise<Server> {
  const { backlog, onHandle, onAcceptError } = options
  return new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true }, socket => {
      onHandle(takeHandle(socket))
    })
    const fail = (error: NodeJS.ErrnoException) => {
      reject(new OptionError('ERR_LISTEN', explain(error, options), { cause: error }))
    }
    server.once('error', fail)
    const listening = (): void => {
      server.off('error', fail)
      server.on('error', onAcceptError)
      skipSockets(server, onHandle)
      resolve(server)
    }
    try {
      server.listen({ ...where, backlog }, listening)
    } catch (error) {
      // Of a descriptor Node finds out at once.
      fail(error as NodeJS.ErrnoException)
    }
  })
}

/**
 * A server that was killed leaves its Unix domain socket behind, and nobody can listen there while the file exists. What
 * refuses connections has nobody behind it. Anything but a socket is left alone.
 */
async function removeStale(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return
  const isStale = await new Promise<boolean>(resolve => {
    const client = connect({ path })
    client.once('connect', () => {
      client.destroy()
      resolve(false)
    })
    client.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
  if (isStale) unlinkSync(path)
}

/** Node's handle of a listener, which calls `onconnection` for every connection. */
interface ListenerHandle {
  onconnection?: (this: ListenerHandle, error: number, handle: TcpHandle | undefined) => void
}

/**
 * Takes the connections where Node would make a `Socket` of each, of which the primary has no use: that is the larger
 * part of what accepting costs. A Node that has changed this goes on making sockets, and so do Unix domain sockets.
 */
function skipSockets(server: Server, onHandle: (handle: TcpHandle) => void): void {
  const listener = (server as unknown as { _handle: ListenerHandle | null })._handle
  const makeSocket = listener?.onconnection
  if (listener === null || typeof makeSocket !== 'function') return
  listener.onconnection = function (error, handle) {
    if (
      error !== 0 ||
      handle === undefined ||
      !isTcpHandle(handle) ||
      typeof handle.setNoDelay !== 'function'
    ) {
      return makeSocket.call(this, error, handle)
    }
    handle.setNoDelay(true)
    onHandle(handle)
  }
}

function explain(error: NodeJS.ErrnoException, { port, host, unix, fd }: ListenPlace): string {
  if (fd !== undefined) {
    return `descriptor ${fd} is no socket that can listen (${error.code || error.message})`
  }
  if (unix !== undefined) return explainUnix(error, unix)
  return explainListenError(error, port, host)
}

/** Why a port can't be listened at, and what to do about it. */
export function explainListenError(error: NodeJS.ErrnoException, port: number, host: string): string {
  const code = error.code ?? ''
  if (code === 'EADDRINUSE') {
    return `port ${port} of ${host} is in use already; choose another port or stop what listens there`
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return `port ${port} needs privileges that this process does not have; choose a port from 1024 on`
  }
  if (NO_SUCH_HOST.has(code)) return `host ${host} is not an address of this machine (${code})`
  return `cannot listen on port ${port} of ${host}: ${error.message}`
}

function explainUnix({ code, message }: NodeJS.ErrnoException, path: string): string {
  if (code === 'EADDRINUSE') {
    return `${path} is in use already: something listens there, or it is no socket; choose another path or remove it`
  }
  // libuv says EACCES for both.
  if (code === 'EACCES' || code === 'ENOENT') {
    return `cannot make ${path}: its directory does not exist or is not to be written to (${code})`
  }
  return `cannot listen at ${path}: ${message}`
}

const NO_SUCH_HOST = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL'])
