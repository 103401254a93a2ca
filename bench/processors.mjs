// Which processor the server runs on and which the load, and how a command is kept there.
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

function choose() {
  const hasTaskset = spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0
  const [server, ...others] = allowed()
  if (!hasTaskset || others.length === 0) return { server: undefined, load: undefined }
  const shared = siblings(server)
  return { server, load: others.find(processor => !shared.includes(processor)) ?? others[0] }
}

/** A processor for the server and another, of another core where there is one, for the load; undefined: no pinning. */
export const processors = choose()

/** @returns the command that runs `command` on one processor only */
export function pinned(command, processor) {
  return processor === undefined ? command : ['taskset', '-c', String(processor), ...command]
}
