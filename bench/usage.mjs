// What processes have used, from the operating system: Linux' /proc. Elsewhere there is nothing to tell.
import { readFileSync } from 'node:fs'

/** /proc counts in hundredths of a second, whatever the kernel's own tick is (USER_HZ). */
const TICK_US = 10_000

export const hasUsage = process.platform === 'linux'

/** Processor time of the processes, all their threads, user and system: microseconds in steps of 10,000. */
export function processorTime(pids) {
  if (!hasUsage) return Number.NaN
  let ticks = 0
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks * TICK_US
}

/** Bytes of memory that the processes take: pages shared with others counted in proportion (PSS). */
export function memory(pids) {
  if (!hasUsage) return Number.NaN
  let kib = 0
  for (const pid of pids) {
    kib += Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1])
  }
  return kib * 1024
}

/** How many files a process may have open. */
export function openFilesLimit() {
  if (!hasUsage) return 1024
  const [, limit] = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit)
}
