import { fstatSync, writeSync, writevSync } from 'node:fs'
import { Socket } from 'node:net'

/**
 * What is used of Node's handle of a socket. It is not documented, so `isTcpHandle` looks whether it is there.
 *
 * `fd` is asked for at every write: libuv answers with a negative number from the moment the handle is closing, while
 * a number that was kept would be somebody else's by then.
 */
export interface TcpHandle {
  readonly fd: number
  /** Bytes read so far. */
  readonly bytesRead: number
  /** Bytes given to be written so far, whether the kernel has taken them or not. */
  readonly bytesWritten: number
  /** Bytes of them that the kernel has not taken. */
  readonly writeQueueSize: number
  /**
   * Called for every read; the bytes are in the buffer of `useUserBuffer`. Called without any at the end of input,
   * for an error, and when there was nothing to be read after all.
   */
  onread: (this: TcpHandle) => void
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  /** @returns 0, or an error number */
  setNoDelay(enable: boolean): number
  /** Sends FIN once everything is written. @returns 0, 1 when it is sent, or an error number */
  shutdown(request: ShutdownRequest): number
  close(done: (this: TcpHandle) => void): void
  /** @returns 0, or an error number when there is no peer (any more). Handles of Unix domain sockets have none */
  getpeername?(into: Peer): number
}

/** Who is at the other end. */
export interface Peer {
  address?: string
  port?: number
}

interface SocketInternals {
  _handle: TcpHandle | null
}

/** What Node's handles want to be given for a FIN. */
interface ShutdownRequest {
  oncomplete: () => void
  /** Kept as long as the request. */
  handle?: TcpHandle
}

type ShutdownRequestClass = new () => ShutdownRequest

/** The class of Node's handles, with what makes them of descriptors. */
type HandleClass = new (type: number) => TcpHandle & { open(fd: number): number }

/** The handle's type: a connection, not a listener. */
const SOCKET = 0

/** Whether there is a peer: false after a reset, true when the peer has sent FIN. Of Unix domain sockets always true. */
export function isConnected(handle: TcpHandle): boolean {
  return handle.getpeername === undefined || handle.getpeername({}) === 0
}

const METHODS = ['useUserBuffer', 'readStart', 'readStop', 'shutdown', 'close', 'getpeername'] as const

/** The class of handles of which everything was found, so that it is looked for once. */
let known: unknown

/** Whether everything of `TcpHandle` is there, as it is not in handles of Unix domain sockets. */
export function isTcpHandle(handle: TcpHandle): boolean {
  if (handle.constructor === known) return handle.fd >= 0
  const isWhole =
    typeof handle.bytesRead === 'number' &&
    handle.fd >= 0 &&
    METHODS.every(name => typeof handle[name] === 'function')
  if (isWhole) known = handle.constructor
  return isWhole
}

/** Takes the handle out of a socket that nothing was read from; the socket is an empty shell then. */
export function takeHandle(socket: Socket): TcpHandle {
  const internals = socket as unknown as SocketInternals
  const handle = internals._handle
  internals._handle = null
  if (handle === null) throw new Error('the socket has ended')
  forgetOwner(handle)
  return handle
}

let ownerSymbol: symbol | undefined

/** Node's handle refers to its socket: the shell would live, with 1.5 KB of streams' state, as long as the handle. */
function forgetOwner(handle: TcpHandle): void {
  ownerSymbol ??= Object.getOwnPropertySymbols(handle).find(symbol => symbol.description === 'owner_symbol')
  if (ownerSymbol !== undefined) (handle as unknown as Record<symbol, unknown>)[ownerSymbol] = null
}

/** The handle of `socket` as it is now, null when it has ended. */
export function handleOf(socket: Socket): TcpHandle | null {
  return (socket as unknown as SocketInternals)._handle
}

/** The class of handles that `openHandle` made of TCP sockets. */
let Tcp: HandleClass | undefined

/**
 * Makes a handle of a descriptor.
 *
 * @throws when the descriptor is no socket; it then stays the caller's
 */
export function openHandle(fd: number): TcpHandle {
  // libuv takes any descriptor for what it is told it is, and aborts the process when the kernel then disagrees.
  if (Tcp !== undefined && fstatSync(fd).isSocket()) {
    const handle = new Tcp(SOCKET)
    if (handle.open(fd) === 0) return handle
    closeHandle(handle)
  }
  // The long way, by a socket, which takes ten times as long. Not to be read from before it has its reader.
  const options = { fd, allowHalfOpen: true, manualStart: true }
  const handle = takeHandle(new Socket(options))
  if (handle.constructor.name === 'TCP') Tcp = handle.constructor as HandleClass
  return handle
}

/** Undefined: not looked for; null: not found. */
let Shutdown: ShutdownRequestClass | null | undefined

/** Node does not export the class of these requests, but shows one to the handle of each socket that ends. */
function findShutdownRequest(): ShutdownRequestClass | null {
  let found: ShutdownRequestClass | null = null
  const socket = new Socket()
  const internals = socket as unknown as { _handle: unknown; _final: (done: () => void) => void }
  internals._handle = {
    shutdown(request: ShutdownRequest) {
      found = request.constructor as ShutdownRequestClass
      return 1
    },
  }
  try {
    internals._final(() => {})
  } catch {
    // A Node that does it in another way.
  }
  internals._handle = null
  socket.destroy()
  return found
}

/**
 * Sends FIN. The handle goes on reading.
 *
 * @returns false when this Node's handles can't be asked to, so that a `Socket` must
 */
export function shutdownHandle(handle: TcpHandle): boolean {
  if (Shutdown === undefined) Shutdown = findShutdownRequest()
  if (Shutdown === null) return false
  const request = new Shutdown()
  request.oncomplete = onDone
  request.handle = handle
  // An error says that the peer has gone, which the read to come says, too.
  handle.shutdown(request)
  return true
}

function onDone(): void {
  // Nobody waits for it.
}

/** Closes a connection that nobody listens to. */
export function closeHandle(handle: TcpHandle): void {
  handle.close(onDone)
}

/** The connection has ended: nothing can be written. */
export const ENDED = -1

/**
 * Writes to the descriptor what the kernel takes at once. Never throws.
 *
 * @returns how many bytes, or `ENDED`
 */
export function writeToHandle(
  handle: TcpHandle | null,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const fd = handle === null ? -1 : handle.fd
  if (fd < 0) return ENDED
  try {
    return writeSync(fd, bytes, start, end - start)
  } catch (error) {
    return refusal(error)
  }
}

/** As `writeToHandle`, for a list of parts in one gathered write. */
export function writePartsToHandle(handle: TcpHandle | null, parts: readonly Uint8Array[]): number {
  const fd = handle === null ? -1 : handle.fd
  if (fd < 0) return ENDED
  try {
    return writevSync(fd, parts)
  } catch (error) {
    return refusal(error)
  }
}

function refusal(error: unknown): number {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'EAGAIN' || code === 'EWOULDBLOCK' || code === 'EINTR' ? 0 : ENDED
}
