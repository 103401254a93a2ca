// Linux' calls, as koffi makes them: about 0.25 us each on top of the kernel's own time.
//
// Memory is given as numbers (addresses), which is what makes the calls cheap and what makes them dangerous: nothing
// checks that an address belongs to the bytes that were meant. They are taken of memory that never moves (the codec's,
// and buffers that live as long as their user) or of buffers that the caller holds during the call.
import koffi from 'koffi'

if (process.platform !== 'linux') throw new Error(`epoll is Linux' own; this is ${process.platform}`)

const libc = koffi.load(null)

export const epollCreate = libc.func('int epoll_create1(int flags)')
export const epollControl = libc.func('int epoll_ctl(int epoll, int operation, int fd, uintptr_t event)')
export const epollWait = libc.func('int epoll_wait(int epoll, uintptr_t events, int most, int timeoutMs)')
export const poll = libc.func('int poll(uintptr_t fds, unsigned long count, int timeoutMs)')
export const recv = libc.func('int recv(int fd, uintptr_t buffer, size_t length, int flags)')
export const send = libc.func('int send(int fd, uintptr_t buffer, size_t length, int flags)')
export const sendmsg = libc.func('int sendmsg(int fd, uintptr_t message, int flags)')
export const shutdown = libc.func('int shutdown(int fd, int how)')
export const close = libc.func('int close(int fd)')
export const socket = libc.func('int socket(int family, int type, int protocol)')
export const replaceDescriptor = libc.func('int dup3(int from, int to, int flags)')
const fcntl = libc.func('int fcntl(int fd, int command, ...)')
const getpeername = libc.func('int getpeername(int fd, void *address, void *length)')
const inetNtop = libc.func('void *inet_ntop(int family, uintptr_t source, void *text, int size)')

export const EPOLL_CLOEXEC = 0x80000
export const EPOLL_CTL_ADD = 1
export const EPOLL_CTL_DEL = 2
export const EPOLL_CTL_MOD = 3
export const EPOLLIN = 1
export const EPOLLOUT = 4
export const EPOLLERR = 8
export const EPOLLHUP = 16
export const SHUT_WR = 1
export const MSG_DONTWAIT = 0x40
/** For sends: neither wait nor be killed by SIGPIPE. */
export const SEND_FLAGS = MSG_DONTWAIT | 0x4000
export const AF_INET = 2
const AF_INET6 = 10
export const SOCK_DGRAM_CLOEXEC = 2 | 0x80000
const F_DUPFD_CLOEXEC = 1030
const EAGAIN = 11
const EINTR = 4

/** 32-bit words of an epoll_event, and where its data is: the structure is packed on x86-64 only. */
export const EVENT_WORDS = process.arch === 'x64' ? 3 : 4
export const EVENT_DATA = process.arch === 'x64' ? 1 : 2

/** Where the first byte of `bytes` is; valid while they are reachable. */
export function addressOf(bytes) {
  return Number(koffi.address(bytes))
}

/** Numbers at an address that stays: short typed arrays without a buffer of their own may be moved by the collector. */
export function fixedInt32Array(length) {
  return new Int32Array(new ArrayBuffer(length * 4))
}

/** Whether the last call only had nothing to do now. */
export function wouldWait() {
  const errno = koffi.errno()
  return errno === EAGAIN || errno === EINTR
}

export function duplicate(fd) {
  return fcntl(fd, F_DUPFD_CLOEXEC, 'int', 0)
}

/** The other end of a socket; no address for those of the Unix domain and those that are ended. */
export function peerOf(fd) {
  const address = Buffer.alloc(128)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(address.length)
  const none = { address: '', port: 0 }
  if (getpeername(fd, address, length) < 0) return none
  const family = address.readUInt16LE(0)
  if (family !== AF_INET && family !== AF_INET6) return none
  const text = Buffer.alloc(46)
  inetNtop(family, addressOf(address) + (family === AF_INET ? 4 : 8), text, text.length)
  return { address: text.latin1Slice(0, text.indexOf(0)), port: address.readUInt16BE(2) }
}
