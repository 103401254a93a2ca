// The experiment SHARDWS_TRANSPORT=epoll: see README.md. src/shard/transports.ts imports it.
import { EpollTransport } from './epoll-transport.mjs'
import { close, duplicate } from './kernel.mjs'
import { Loop } from './loop.mjs'
import { wakerOf } from './wake.mjs'

/** @type {import('../../dist/shard/transports.js').OpenTransports} */
export function openTransports(codec, registry) {
  const loop = new Loop(codec, registry, wakerOf())
  return {
    create(source, owner, admission) {
      if ('fd' in source) return new EpollTransport(loop, source.fd, owner, admission)
      // A handle's descriptor can't be taken from it, but it can be duplicated.
      const { handle } = source
      const fd = handle.fd < 0 ? -1 : duplicate(handle.fd)
      handle.close()
      try {
        return new EpollTransport(loop, fd, owner, admission)
      } catch (error) {
        if (fd >= 0) close(fd)
        throw error
      }
    },
    close: () => loop.close(),
  }
}
