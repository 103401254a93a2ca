import { OptionError } from '../errors.js'

/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST_FD = 3

/**
 * The descriptor of the socket with which systemd, or what does as it does, has started this process. The variables that
 * say so are taken out of `env`: they are not meant for children.
 *
 * @returns undefined when it was started in another way
 * @throws OptionError (`ERR_LISTEN`) when there are several sockets
 */
export function takeActivatedFd(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { LISTEN_PID, LISTEN_FDS } = env
  if (LISTEN_PID !== String(pid)) return undefined
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  const count = /^\d+$/.test(LISTEN_FDS ?? '') ? Number(LISTEN_FDS) : 0
  if (count > 1) {
    throw new OptionError('ERR_LISTEN', `there are ${count} sockets in LISTEN_FDS; a server listens to one`)
  }
  return count === 1 ? FIRST_FD : undefined
}
