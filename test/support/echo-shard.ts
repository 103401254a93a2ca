import { expect } from 'vitest'
import type { ConnectionOptions } from '../../src/options.js'
import { MemoryShard, type TestApp } from './memory-shard.js'

export type Line = [code: number, reason: string]

/** A shard that writes down how its connections end, and echoes. */
export function echoShard(
  app: TestApp = {},
  options: Partial<ConnectionOptions> = {},
): { shard: MemoryShard; closed: Line[] } {
  const closed: Line[] = []
  const shard = new MemoryShard(
    {
      message: (socket, data) => void socket.send(data),
      close: (_, code, reason) => void closed.push([code, reason]),
      ...app,
    },
    options,
  )
  return { shard, closed }
}

/** Its slot is free again, and nobody knows it any more. */
export function expectReleased(shard: MemoryShard): void {
  expect(shard.environment.connections.size).toBe(0)
  const slots = Array.from({ length: 8 }, () => shard.codec.acquire('server', 1, 1))
  expect(slots.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  for (const slot of slots) shard.codec.release(slot)
}
