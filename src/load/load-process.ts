import { runLoad } from './load.js'
import type { FromLoadProcess, ToLoadProcess } from './processes.js'

/**
 * The program of a load process: it gets its share of the run from its parent, and says what it measured.
 */
function tell(message: FromLoadProcess): void {
  process.send?.(message)
}

let go: () => void = () => undefined
const gone = new Promise<void>(resolve => {
  go = resolve
})

const stop = new AbortController()

process.on('message', (message: ToLoadProcess) => {
  if (message.type === 'go') return go()
  if (message.type === 'stop') return stop.abort()
  const options = { ...message.options, url: new URL(message.options.url) }
  runLoad(options, {
    async onConnected() {
      tell({ type: 'connected' })
      await gone
    },
    onBegin: () => tell({ type: 'begin' }),
    onSecond: messages => tell({ type: 'second', messages }),
    onEnd: () => tell({ type: 'end' }),
    stop: stop.signal,
  }).then(
    result => {
      const { latencies, errors } = result
      tell({ type: 'result', result: { ...result, latencies: latencies.toJSON(), errors: [...errors] } })
    },
    (error: unknown) =>
      tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) }),
  )
})
// A terminal's Ctrl+C goes to all its processes; what to do about it is the parent's business.
process.on('SIGINT', () => undefined)
// The parent ended: so do we.
process.on('disconnect', () => process.exit())
