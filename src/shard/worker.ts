import { inspect } from 'node:util'
import type { MessagePort } from 'node:worker_threads'
import type { FromShard, ShardTask, ToShard } from '../messages.js'
import { type RunningShard, startShard } from './shard.js'

/**
 * What Piscina runs in a worker: one task that lasts as long as the shard.
 */
export default async function runShard(task: ShardTask): Promise<void> {
  const { port } = task
  tell(port, { type: 'begun' })
  let shard: RunningShard
  try {
    shard = await startShard(task, record => {
      const error = record.error === undefined ? undefined : plain(record.error)
      tell(port, { type: 'log', record: { ...record, error } })
    })
  } catch (error) {
    tell(port, { type: 'failed', error: plain(error) })
    port.close()
    return
  }
  await new Promise<void>((resolve, reject) => {
    port.on('message', (message: ToShard) => {
      switch (message.type) {
        case 'socket':
          shard.countHandoff(message.sentMs, 1)
          return shard.adoptSocket(message.socket, message.admission)
        case 'descriptors':
          shard.countHandoff(message.sentMs, message.pairs.length / 2)
          return adoptAll(shard, message.pairs)
        case 'tls':
          return shard.reloadTls(message.tls)
        case 'drain':
          shard.drain().then(resolve, reject)
          return
        case 'stop':
          shard.stop(message.code, message.timeoutMs, message.spreadMs, message.gently).then(resolve, reject)
      }
    })
    tell(port, { type: 'ready' })
  })
  tell(port, { type: 'stopped' })
  port.close()
}

function adoptAll(shard: RunningShard, pairs: readonly number[]): void {
  for (let i = 0; i < pairs.length; i += 2) shard.adoptDescriptor(pairs[i], pairs[i + 1])
}

function tell(port: MessagePort, message: FromShard): void {
  port.postMessage(message)
}

/** What can be said of an error between threads: one with a `cause` or fields that can't be cloned would be lost. */
function plain(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(`not an Error was thrown: ${inspect(error)}`)
  const copy = new Error(error.message)
  copy.name = error.name
  const stack = error.stack ?? error.message
  copy.stack = error.cause === undefined ? stack : `${stack}\n  cause: ${inspect(error.cause)}`
  return copy
}
