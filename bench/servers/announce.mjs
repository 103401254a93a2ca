// How a server of the benchmark is told what to do, and says where it listens.

/**
 * `{ mode: 'echo' | 'broadcast', shards, spins, deflate }`, from the command line. `deflate`, where messages are
 * compressed, is `{ takesOver, maxContexts }`.
 */
export const task = { mode: 'echo', shards: 1, spins: 0, ...JSON.parse(globalThis.process.argv[2] ?? '{}') }

/** Bytes of a message, and of what may wait for a client: none of the servers is to refuse anything. */
export const MOST_BYTES = 64 * 1024 * 1024

/**
 * @param port that it listens on, at 127.0.0.1
 * @param version of what is measured
 * @param pids of its processes, besides this one
 */
export function announce(port, version, pids = []) {
  console.log(JSON.stringify({ port, version, pids: [globalThis.process.pid, ...pids] }))
}
