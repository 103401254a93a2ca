import { closeSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { devNull } from 'node:os'
import { MessageChannel, type MessagePort, type TransferListItem } from 'node:worker_threads'
import { OptionError } from '../errors.js'
import { Counter, type Ledger } from '../ledger.js'
import type { ToShard } from '../messages.js'
import { monotonicMs } from '../monotonic.js'
import { closeHandle, type TcpHandle } from '../tcp-handle.js'

/**
 * How an accepted socket gets to a shard:
 * - `transfer`: in the transfer list of a message (Node >= 24.21 and >= 26.6);
 * - `descriptor`: its descriptor is duplicated, the accepted socket destroyed and the number sent;
 * - `local`: not at all: the one shard there is runs in the primary's thread.
 */
export type HandoffWay = 'transfer' | 'descriptor' | 'local'

/** The way into one shard, for as long as its thread lives. */
export interface HandoffLine {
  /**
   * Hands a connection, of which nothing was read, to the shard. Whatever is returned, it is the primary's no more.
   *
   * @returns whether it is on its way, or will be at the end of the turn; if not, the connection was cut
   */
  send(handle: TcpHandle, admission: number): boolean
  /** Sends what waits for the end of the turn. */
  flush(): void
  /** To be called once the thread is gone: releases what it did not adopt. */
  close(): void
}

export type OpenLine = (port: MessagePort, ledger: Ledger) => HandoffLine

/** `fcntl` command numbers; the flag makes that child processes do not inherit the duplicate. */
const F_DUPFD_CLOEXEC: Partial<Record<NodeJS.Platform, number>> = { linux: 1030, darwin: 67 }

/**
 * Finds the best way that this platform has.
 *
 * @param forced only this one will do; by default what the environment variable SHARDWS_HANDOFF says
 * @returns undefined for the local way
 * @throws OptionError (`ERR_HANDOFF`) when the forced way does not exist here
 */
export async function findHandoff(forced = process.env.SHARDWS_HANDOFF): Promise<OpenLine | undefined> {
  switch (forced) {
    case 'transfer':
      return transferWay() ?? missing(forced)
    case 'descriptor':
      return (await descriptorWay()) ?? missing(forced)
    case 'local':
      return undefined
    case undefined:
    case '':
      return (await descriptorWay()) ?? transferWay()
    default:
      throw new OptionError(
        'ERR_HANDOFF',
        `SHARDWS_HANDOFF is ${JSON.stringify(forced)}; it must be transfer, descriptor or local`,
      )
  }
}

function missing(way: HandoffWay): never {
  throw new OptionError(
    'ERR_HANDOFF',
    `SHARDWS_HANDOFF is ${way}, which Node ${process.version} on ${process.platform} cannot do`,
  )
}

function transferWay(): OpenLine | undefined {
  return canTransferSockets() ? openTransferLine : undefined
}

const openTransferLine: OpenLine = port => new TransferLine(port)

/** Whether Unix domain sockets get to shards, too: Node transfers those of TCP only (24.21, 26.10). */
export function passesUnix(openLine: OpenLine | undefined): boolean {
  return openLine !== openTransferLine
}

/** A socket without a handle cannot be transferred; what is said about it tells whether others can. */
function canTransferSockets(): boolean {
  const { port1, port2 } = new MessageChannel()
  const socket = new Socket()
  try {
    port1.postMessage(socket, [socket as unknown as TransferListItem])
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_WORKER_HANDLE_NOT_TRANSFERABLE'
  } finally {
    port1.close()
    port2.close()
    socket.destroy()
  }
}

/**
 * Node itself closes the sockets of messages that nobody received. But when the process has no descriptor left for the
 * duplicate that a transfer makes, the message is lost without a trace, and the connection stays open for ever (seen on
 * Node 24.21 and 26.10). So it is tried first, at about 4 us for each connection.
 */
class TransferLine implements HandoffLine {
  readonly #port: MessagePort

  constructor(port: MessagePort) {
    this.#port = port
  }

  send(handle: TcpHandle, admission: number): boolean {
    const options = { handle, pauseOnCreate: true, allowHalfOpen: true }
    const socket = new Socket(options)
    try {
      closeSync(openSync(devNull, 'r'))
      const message: ToShard = { type: 'socket', socket, admission, sentMs: monotonicMs() }
      this.#port.postMessage(message, [socket as unknown as TransferListItem])
      return true
    } catch {
      socket.destroy()
      return false
    }
  }

  flush(): void {}

  close(): void {}
}

type Duplicate = (fd: number) => number

async function descriptorWay(): Promise<OpenLine | undefined> {
  const command = F_DUPFD_CLOEXEC[process.platform]
  if (command === undefined) return undefined
  try {
    const { default: koffi } = await import('koffi')
    // Declared variadic, as it is: on some processors (macOS on ARM) variadic arguments travel differently.
    const fcntl = koffi.load(null).func('int fcntl(int fd, int command, ...)') as unknown as (
      fd: number,
      command: number,
      type: 'int',
      lowest: number,
    ) => number
    const duplicate: Duplicate = fd => fcntl(fd, command, 'int', 0)
    return (port, ledger) => new DescriptorLine(port, ledger, duplicate)
  } catch {
    // koffi is optional: not installed, or not for this platform.
    return undefined
  }
}

/** So many are sent without waiting for the end of the turn. */
const MOST_PAIRS = 64
/** Adopted descriptors are dropped from the list of those in flight when there are this many. */
const FORGET_BATCH = 256

/**
 * Sends the numbers of duplicated descriptors. The accepted socket can't be sent itself: closing it, as the primary
 * must to be rid of its handle, would close the shard's end too.
 *
 * A number in a message that nobody received is a leak, and one closed twice is somebody else's connection. So the
 * shard counts a descriptor as adopted, in the order they were sent, before it opens it; when its thread is gone the
 * primary closes exactly those beyond the count. (Should the thread be killed between the two, that one leaks.)
 */
class DescriptorLine implements HandoffLine {
  readonly #port: MessagePort
  readonly #ledger: Ledger
  readonly #duplicate: Duplicate
  /** Sent and, as far as was looked, not adopted: from the `#forgotten`-th on. */
  readonly #inFlight: number[] = []
  #forgotten: number
  /** To be sent: number and admission of each. */
  #pairs: number[] = []
  /** When the first of them came. */
  #since = 0
  #closed = false

  constructor(port: MessagePort, ledger: Ledger, duplicate: Duplicate) {
    this.#port = port
    this.#ledger = ledger
    this.#duplicate = duplicate
    // Those of the shard's lives before.
    this.#forgotten = ledger.counters[Counter.ADOPTED]
  }

  send(handle: TcpHandle, admission: number): boolean {
    const fd = handle.fd < 0 ? -1 : this.#duplicate(handle.fd)
    closeHandle(handle)
    // No duplicate: the process has no descriptor left.
    if (fd < 0) return false
    this.#inFlight.push(fd)
    if (this.#inFlight.length >= FORGET_BATCH) this.#forgetAdopted()
    // A message costs more than what is in it: all that is accepted in one turn goes together.
    if (this.#pairs.push(fd, admission) === 2) {
      this.#since = monotonicMs()
      setImmediate(flushLine, this)
    }
    if (this.#pairs.length >= 2 * MOST_PAIRS) this.flush()
    return true
  }

  flush(): void {
    if (this.#pairs.length === 0 || this.#closed) return
    const message: ToShard = { type: 'descriptors', pairs: this.#pairs, sentMs: this.#since }
    this.#port.postMessage(message)
    this.#pairs = []
  }

  close(): void {
    this.#closed = true
    this.#forgetAdopted()
    for (const fd of this.#inFlight.splice(0)) closeSync(fd)
  }

  #forgetAdopted(): void {
    const adopted = this.#ledger.counters[Counter.ADOPTED]
    this.#inFlight.splice(0, adopted - this.#forgotten)
    this.#forgotten = adopted
  }
}

function flushLine(line: DescriptorLine): void {
  line.flush()
}
