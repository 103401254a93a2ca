import { WireClient } from './wire-client.js'

/** Connections that are opened at a time: fewer than the kernel keeps for a server that has not accepted them yet. */
const AT_A_TIME = 200

/** Does something `count` times, some of them at once. */
export async function many<T>(count: number, act: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: Math.min(AT_A_TIME, count) }, async () => {
      while (next < count) {
        const index = next++
        results[index] = await act(index)
      }
    }),
  )
  return results
}

/** As `many`, for clients that have not sent anything. */
export function connectMany(port: number, count: number): Promise<WireClient[]> {
  return many(count, () => WireClient.connect(port))
}

/** As `many`, for open WebSockets. */
export function openMany(port: number, count: number, target = '/'): Promise<WireClient[]> {
  return many(count, () => WireClient.open(port, target))
}

/**
 * Writes what `make` gives until it gives undefined, as fast as the kernel takes it; resolves when it is all written,
 * the connection has ended, or it is `endMs` (of `performance.now`).
 */
export async function pour(
  { socket }: WireClient,
  make: (index: number) => Uint8Array | undefined,
  endMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>(resolve => {
    socket.once('close', () => resolve())
    if (endMs < Number.POSITIVE_INFINITY) timer = setTimeout(resolve, endMs - performance.now())
  })
  for (let index = 0; socket.writable && performance.now() < endMs; index++) {
    const bytes = make(index)
    if (bytes === undefined) break
    if (!socket.write(bytes)) {
      await Promise.race([new Promise<void>(resolve => socket.once('drain', () => resolve())), over])
    }
  }
  clearTimeout(timer)
}
