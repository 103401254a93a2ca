import { afterAll, beforeAll } from 'vitest'
import type { HandoffWay } from '../../src/primary/handoff.js'
import { Bystanders } from './bystanders.js'
import { ServerProcess, type ServerProcessOptions } from './server-process.js'

/** Where an attack takes place: a server, and the well-behaved clients who watch it. */
export interface Stage {
  readonly server: ServerProcess
  readonly bystanders: Bystanders
  /** How many connections ended with `code`, by what the application was told. */
  closes(code: number): Promise<number>
}

/** What a stage is made of, where it is not known before the tests begin. */
export interface StageSetting {
  options: ServerProcessOptions
  /** What the server's certificate is to be checked with. */
  ca?: string
}

/**
 * Sets a stage for the tests of the file that calls it: its server starts before the first of them, and after the last
 * everything must have ended as it should. Call it for all the servers of a file before the tests, since bystanders
 * have to be there before the first attack.
 *
 * @param handoff the way sockets take to shards; by default the one that Node has
 */
export function setStage(
  options: ServerProcessOptions | (() => Promise<StageSetting>),
  handoff?: HandoffWay,
): Stage {
  let server: ServerProcess | undefined
  let bystanders: Bystanders | undefined
  beforeAll(async () => {
    const setting: StageSetting = typeof options === 'function' ? await options() : { options }
    server = await ServerProcess.start(setting.options, handoff)
    bystanders = await Bystanders.of(server, setting.ca)
  })
  afterAll(async () => {
    await bystanders?.close()
    await server?.finish()
  })
  return {
    get server() {
      return present(server)
    },
    get bystanders() {
      return present(bystanders)
    },
    closes: async code => (await present(server).app()).codes[code] ?? 0,
  }
}

function present<T>(thing: T | undefined): T {
  if (thing === undefined) throw new Error('the stage is set in beforeAll: it is there for tests only')
  return thing
}
