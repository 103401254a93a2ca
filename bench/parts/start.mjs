// How long it takes from the command to the first message that comes back.
import { compare, withServer } from '../comparison.mjs'
import { open, smallFrame } from '../workers/client.mjs'

const COLUMNS = [{ key: 'ms', title: 'ms to the first echo', digits: 0 }]
const LEAST_ROUNDS = 5
const TEXT = 0x1

export function run(context) {
  const { shards } = context
  const part = {
    part: 'start',
    title: 'From the command to the first echo',
    columns: COLUMNS,
    peers: ['raw', 'shardws', 'ws', 'bun', 'deno'],
    rows: [{ id: 'start', title: `shardws with ${shards} shards, the others with one thread` }],
  }
  const rounds = Math.max(context.rounds, LEAST_ROUNDS)
  return compare({ ...context, rounds }, part, async (_, contestant) => {
    const start = performance.now()
    const task = { shards: contestant.name.startsWith('shardws') ? shards : 1 }
    return withServer(contestant, task, undefined, async server => {
      await firstEcho(server)
      return { ms: performance.now() - start }
    })
  })
}

async function firstEcho({ port }) {
  let answered
  const answer = new Promise(resolve => {
    answered = resolve
  })
  const socket = await open({ port }, answered)
  const lost = new Promise((_, reject) => {
    socket.once('close', () => reject(new Error('the server ended the connection')))
  })
  socket.write(smallFrame(TEXT, [...Buffer.from('hello')]))
  await Promise.race([answer, lost])
  lost.catch(() => {})
  socket.destroy()
}
