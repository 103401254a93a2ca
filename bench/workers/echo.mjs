// Loads an echo server with the project's own load generator and reads meanwhile what the server's processes use.
import { resolveLoadOptions } from '../../dist/load/load-options.js'
import { runLoadProcesses } from '../../dist/load/processes.js'
import { processorTime } from '../usage.mjs'
import { onTask } from './task.mjs'

onTask(async ({ url, pids, ...given }, tell) => {
  const options = resolveLoadOptions(url, given)
  let server
  const result = await runLoadProcesses(options, {
    onBegin() {
      server = processorTime(pids)
    },
    onEnd() {
      server = processorTime(pids) - server
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
  })
})
