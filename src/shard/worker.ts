import type { MessagePort } from 'node:worker_threads'
import type { FromShard, ShardTask, ToShard } from '../messages.js'
import { type RunningShard, startShard } from './shard.js'

/**
 * What Piscina runs in a worker: one task that lasts as long as the shard.
 */
export default async function runShard(task: ShardTask): Promise<void> {
  const { port } = task
  let shard: RunningShard
  try {
    shard = await startShard(task)
  } catch (error) {
    tell(port, { type: 'failed', error: error instanceof Error ? error : new Error(String(error)) })
    port.close()
    return
  }
  await new Promise<void>((resolve, reject) => {
    port.on('message', (message: ToShard) => {
      switch (message.type) {
        case 'socket':
          return shard.adoptSocket(message.socket, message.admission)
        case 'descriptor':
          return shard.adoptDescriptor(message.fd, message.admission)
        case 'stop':
          shard.stop(message.code, message.timeoutMs).then(resolve, reject)
      }
    })
    tell(port, { type: 'ready' })
  })
  tell(port, { type: 'stopped' })
  port.close()
}

function tell(port: MessagePort, message: FromShard): void {
  port.postMessage(message)
}
