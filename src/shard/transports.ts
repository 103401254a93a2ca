import { existsSync } from 'node:fs'
import type { Codec } from '../codec/codec.js'
import { HandleTransport } from '../connection/handle-transport.js'
import { createReader, type Registry, SocketTransport } from '../connection/socket-transport.js'
import type { Transport, TransportOwner } from '../connection/transport.js'
import { OptionError } from '../errors.js'
import { isTcpHandle, openHandle, type TcpHandle } from '../tcp-handle.js'

/** What a transport is made of: a handle taken out of another socket, or a descriptor that is ours. */
export type SocketSource = { handle: TcpHandle } | { fd: number }

/** Makes the transports of a shard. */
export interface Transports {
  /**
   * @param admission number of the connection, which the registry is told when it has ended
   * @throws when `source` is no socket (a descriptor then stays the caller's)
   */
  create(source: SocketSource, owner: TransportOwner, admission: number): Transport
  /** No transport is left and none will be made. */
  close(): void
}

/** What the module of an experiment exports as `openTransports`. */
export type OpenTransports = (codec: Codec, registry: Registry) => Transports

const openSocketTransports: OpenTransports = (codec, registry) => {
  const reader = createReader(codec.readArena)
  return {
    create(source, owner, admission) {
      const handle = 'fd' in source ? openHandle(source.fd) : source.handle
      // A Node that has changed its handles has its sockets still.
      const Kind = isTcpHandle(handle) ? HandleTransport : SocketTransport
      return new Kind(handle, reader, owner, admission, registry)
    },
    close() {},
  }
}

/**
 * Node's handles, unless an experiment is asked for: its module is in bench/transport, which is not published.
 *
 * @param experiment by default what the environment variable SHARDWS_TRANSPORT says
 * @throws OptionError (`ERR_TRANSPORT`) when there is no such experiment; whatever its module throws
 */
export async function findTransports(experiment = process.env.SHARDWS_TRANSPORT): Promise<OpenTransports> {
  if (experiment === undefined || experiment === '') return openSocketTransports
  const file = new URL(`../../bench/transport/${experiment}.mjs`, import.meta.url)
  if (!/^[a-z]+$/.test(experiment) || !existsSync(file)) {
    throw new OptionError(
      'ERR_TRANSPORT',
      `SHARDWS_TRANSPORT is ${JSON.stringify(experiment)}, which is no experiment of bench/transport in a source checkout; leave it unset for Node's sockets`,
    )
  }
  const module = (await import(file.href)) as { openTransports: OpenTransports }
  return module.openTransports
}
