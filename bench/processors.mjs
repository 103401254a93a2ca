// Which processor the server runs on and which ones the load, and how a command is kept there.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** `0-2,4` as [0, 1, 2, 4]. */
function parseList(text) {
  return text
    .trim()
    .split(',')
    .flatMap(range => {
      const [first, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
}

function allowed() {
  try {
    return parseList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1])
  } catch {
    return []
  }
}

/** The processors of the same core, which share its execution units. */
function siblings(processor) {
  const path = `/sys/devices/system/cpu/cpu${processor}/topology/thread_siblings_list`
  try {
    return parseList(readFileSync(path, 'latin1'))
  } catch {
    return [processor]
  }
}

/** With more processes the load generator would have more to add up than to send. */
const MOST_LOAD_PROCESSES = 4

function choose() {
  const hasTaskset = spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0
  const [server, ...others] = allowed()
  if (!hasTaskset || others.length === 0) return { server: undefined, load: undefined, loadProcesses: 1 }
  const shared = siblings(server)
  const apart = others.filter(processor => !shared.includes(processor))
  const load = (apart.length > 0 ? apart : others).slice(0, MOST_LOAD_PROCESSES)
  return { server: String(server), load: load.join(','), loadProcesses: load.length }
}

/**
 * A processor for the server and others, of other cores where there are, for the load, which has a process for each:
 * a message costs the load generator's sockets as much as the server's. Undefined: nothing is pinned.
 */
export const processors = choose()

/** @returns the command that runs `command` on these processors only */
export function pinned(command, list) {
  return list === undefined ? command : ['taskset', '-c', list, ...command]
}
