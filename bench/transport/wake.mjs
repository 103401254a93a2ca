// How Node's event loop learns that our epoll descriptor is readable. Node has no public way to watch a descriptor
// that is no file, pipe, socket or terminal; these are three ways around that (README.md has what they cost).
import { createSocket } from 'node:dgram'
import {
  AF_INET,
  addressOf,
  EPOLL_CLOEXEC,
  EPOLLIN,
  fixedInt32Array,
  poll,
  replaceDescriptor,
  SOCK_DGRAM_CLOEXEC,
  socket,
} from './kernel.mjs'

/**
 * libuv watches it as if it were a UDP socket: a real one is opened and given to `dgram`, then its descriptor is
 * replaced by the epoll descriptor's duplicate before libuv first polls. Epoll descriptors can be watched like any
 * other; each time it is readable libuv tries `recvmsg`, which fails with ENOTSOCK, and that is the call.
 */
function datagram(epoll, wake) {
  const udp = createSocket('udp4')
  const fd = socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0)
  udp.bind({ fd })
  if (replaceDescriptor(epoll, fd, EPOLL_CLOEXEC) < 0) throw new Error('the descriptor could not be replaced')
  // The handle's own callback saves making an Error (5 us) each time; without it there is the event.
  const key = Object.getOwnPropertySymbols(udp).find(({ description }) => description === 'state symbol')
  const handle = key === undefined ? undefined : udp[key].handle
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a handle of libuv, no EventTarget
  if (typeof handle?.onmessage === 'function') handle.onmessage = () => void wake()
  else udp.on('error', () => void wake())
  return { ref: () => udp.ref(), unref: () => udp.unref(), close: () => udp.close() }
}

/** Empty turns before `thread` waits in its thread. */
const EMPTY_TURNS = 16
/** A call in a thread can't be cancelled: a shard that ends waits for it. */
const THREAD_WAIT_MS = 500

/** While there is traffic every turn of Node's loop looks; without, a thread of libuv's pool blocks in `poll`. */
function thread(epoll, wake) {
  const fds = fixedInt32Array(2)
  fds.set([epoll, EPOLLIN])
  const address = addressOf(fds)
  let closed = false
  let empty = 0
  const look = () => {
    if (closed) return
    empty = wake() ? 0 : empty + 1
    if (empty < EMPTY_TURNS) return void setImmediate(look)
    poll.async(address, 1, THREAD_WAIT_MS, () => {
      // `fds` must live as long as the call.
      empty = fds[0] === epoll ? EMPTY_TURNS - 1 : 0
      look()
    })
  }
  look()
  return {
    ref() {},
    unref() {},
    close() {
      closed = true
    },
  }
}

/** Every turn looks, and there is no idle one. */
function spin(_epoll, wake) {
  let immediate
  const look = () => {
    wake()
    immediate = setImmediate(look)
  }
  look()
  return {
    ref: () => immediate.ref(),
    unref: () => immediate.unref(),
    close: () => clearImmediate(immediate),
  }
}

const WAYS = { datagram, thread, spin }

/** @returns what SHARDWS_EPOLL_WAKE says, by default `datagram` */
export function wakerOf(name = process.env.SHARDWS_EPOLL_WAKE || 'datagram') {
  const way = WAYS[name]
  if (way === undefined) throw new Error(`SHARDWS_EPOLL_WAKE must be one of ${Object.keys(WAYS).join(', ')}`)
  return way
}
