import { createServer, type Server } from 'node:net'
import { OptionError } from '../errors.js'
import { isTcpHandle, type TcpHandle, takeHandle } from '../tcp-handle.js'

export interface ListenOptions {
  port: number
  host: string
  backlog: number
  /** A connection was accepted; nothing is read from it. */
  onHandle: (handle: TcpHandle) => void
  /** A connection could not be accepted; the server goes on. */
  onAcceptError: (error: Error) => void
}

/**
 * Listens for TCP connections. They stay paused, half-open and without Nagle's delay, and are told apart no further.
 *
 * When the process has no descriptor left, libuv closes what it can't accept, so that the backlog does not make the
 * event loop spin, and goes on once there are some again.
 *
 * @throws OptionError (`ERR_LISTEN`) with the system's error as its cause
 */
export function listen(options: ListenOptions): Promise<Server> {
  const { port, host, backlog, onHandle, onAcceptError } = options
  return new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true }, socket => {
      onHandle(takeHandle(socket))
    })
    const fail = (error: NodeJS.ErrnoException) => {
      reject(new OptionError('ERR_LISTEN', explainListenError(error, port, host), { cause: error }))
    }
    server.once('error', fail)
    server.listen({ port, host, backlog }, () => {
      server.off('error', fail)
      server.on('error', onAcceptError)
      skipSockets(server, onHandle)
      resolve(server)
    })
  })
}

/** Node's handle of a listener, which calls `onconnection` for every connection. */
interface ListenerHandle {
  onconnection?: (this: ListenerHandle, error: number, handle: TcpHandle | undefined) => void
}

/**
 * Takes the connections where Node would make a `Socket` of each, of which the primary has no use: that is the larger
 * part of what accepting costs. A Node that has changed this goes on making sockets.
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

const NO_SUCH_HOST = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL'])
