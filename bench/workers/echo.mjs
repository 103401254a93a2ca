// Loads an echo server with the project's own load generator and reads meanwhile what the server's processes use.
import { runLoad } from '../../dist/load/load.js'
import { resolveLoadOptions } from '../../dist/load/load-options.js'
import { processorTime } from '../usage.mjs'
import { onTask } from './task.mjs'

onTask(async ({ url, pids, ...given }, tell) => {
  const options = resolveLoadOptions(url, given)
  let server
  let own
  const result = await runLoad(options, {
    onBegin() {
      server = processorTime(pids)
      own = process.cpuUsage()
    },
    onEnd() {
      server = processorTime(pids) - server
      own = process.cpuUsage(own)
    },
  })
  const { messages, seconds, latencies, mismatches, errors, connected } = result
  const faults = [...errors].map(([reason, count]) => `${count} x ${reason}`)
  if (mismatches > 0) faults.push(`${mismatches} messages came back changed`)
  if (connected < options.connections) faults.push(`${connected} of ${options.connections} connections`)
  if (messages === 0) faults.push('nothing came back')
  if (faults.length > 0) throw new Error(faults.join('; '))
  tell({
    cpuUs: server / messages,
    perSecond: messages / seconds,
    p50Us: latencies.percentile(50),
    p99Us: latencies.percentile(99),
    serverShare: server / (seconds * 1e6),
    loadShare: (own.user + own.system) / (seconds * 1e6),
  })
})
