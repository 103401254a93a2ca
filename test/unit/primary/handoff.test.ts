import { fstatSync, openSync } from 'node:fs'
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { OptionError } from '../../../src/errors.js'
import { Counter, Ledger } from '../../../src/ledger.js'
import type { ToShard } from '../../../src/messages.js'
import { findHandoff, type HandoffLine } from '../../../src/primary/handoff.js'
import type { TcpHandle } from '../../../src/tcp-handle.js'
import { nodeIsAtLeast } from '../../needs.js'

describe('findHandoff', () => {
  it('says what SHARDWS_HANDOFF may be', async () => {
    await expect(findHandoff('pigeon')).rejects.toThrow(OptionError)
    await expect(findHandoff('pigeon')).rejects.toThrow('transfer, descriptor or local')
  })

  it('leaves it to the main thread when told so', async () => {
    expect(await findHandoff('local')).toBeUndefined()
  })

  it('finds a way on the platforms that are supported', async () => {
    expect(await findHandoff('')).toBeTypeOf('function')
  })

  it('says so when the forced way does not exist here', async () => {
    const transfers = process.versions.node.startsWith('26') ? nodeIsAtLeast('26.6') : nodeIsAtLeast('24.21')
    const outcome = await findHandoff('transfer').catch((error: Error) => error.message)
    const message = `SHARDWS_HANDOFF is transfer, which Node ${process.version} on ${process.platform} cannot do`
    expect(outcome).toEqual(transfers ? expect.any(Function) : message)
  })
})

/** The handle of an accepted connection as far as the hand-off looks at it. */
class Accepted {
  closed = 0

  readonly fd: number

  constructor(fd: number) {
    this.fd = fd
  }

  close(): void {
    this.closed++
  }
}

function accepted(fd: number): Accepted & TcpHandle {
  return new Accepted(fd) as Accepted & TcpHandle
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd)
    return true
  } catch {
    return false
  }
}

describe('the descriptor way', () => {
  let ports: MessagePort[] = []

  afterEach(() => {
    for (const port of ports) port.close()
    ports = []
  })

  async function openLine(): Promise<{
    line: HandoffLine
    ledger: Ledger
    take: () => number[]
    port: MessagePort
  }> {
    const { port1, port2 } = new MessageChannel()
    ports.push(port1, port2)
    const ledger = new Ledger()
    const open = await findHandoff('descriptor')
    if (open === undefined) throw new Error('no descriptor way')
    const take = () => {
      const { message } = receiveMessageOnPort(port2) as { message: ToShard }
      return message.type === 'descriptors' ? message.pairs : []
    }
    return { line: open(port1, ledger), ledger, take, port: port2 }
  }

  it('sends a duplicate, which child processes do not inherit, and closes the accepted connection', async () => {
    const { line, take } = await openLine()
    const original = openSync('/dev/null', 'r')
    const handle = accepted(original)
    expect(line.send(handle, 5)).toBe(true)
    expect(handle.closed).toBe(1)
    line.flush()
    const [fd, admission] = take()
    expect(admission).toBe(5)
    expect(fd).not.toBe(original)
    expect(isOpen(fd)).toBe(true)
    line.close()
    expect(isOpen(fd)).toBe(false)
  })

  it('sends all of a turn together, at its end, in order', async () => {
    const { line, port, take } = await openLine()
    const original = openSync('/dev/null', 'r')
    for (let admission = 0; admission < 10; admission++) line.send(accepted(original), admission)
    expect(receiveMessageOnPort(port)).toBeUndefined()
    await new Promise(setImmediate)
    const pairs = take()
    expect(pairs.filter((_, at) => at % 2 === 1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(receiveMessageOnPort(port)).toBeUndefined()
    line.close()
  })

  it('does not wait when there are many', async () => {
    const { line, take } = await openLine()
    const original = openSync('/dev/null', 'r')
    for (let admission = 0; admission < 65; admission++) line.send(accepted(original), admission)
    expect(take()).toHaveLength(128)
    line.flush()
    expect(take()).toHaveLength(2)
    line.close()
  })

  it.each([0, 1, 255, 256, 257, 600])('closes exactly those beyond the %i adopted', async adopted => {
    const { line, ledger, take } = await openLine()
    const sent: number[] = []
    const original = openSync('/dev/null', 'r')
    for (let count = 0; count < 600; count++) {
      line.send(accepted(original), count)
      line.flush()
      sent.push(take()[0])
      if (count < adopted) ledger.counters[Counter.ADOPTED] = count + 1
    }
    line.close()
    expect(sent.map(isOpen)).toEqual(sent.map((_, index) => index < adopted))
    // A second time would close what has these numbers by then.
    const reused = openSync('/dev/null', 'r')
    line.close()
    expect(isOpen(reused)).toBe(true)
  })

  it('closes what it has not sent yet, and sends nothing any more', async () => {
    const { line, port } = await openLine()
    const before = openSync('/dev/null', 'r')
    line.send(accepted(before), 1)
    line.close()
    // The lowest free number, which was the duplicate's.
    const after = openSync('/dev/null', 'r')
    expect(after).toBe(before + 1)
    await new Promise(setImmediate)
    expect(receiveMessageOnPort(port)).toBeUndefined()
  })

  it('says no when the connection has ended or there is no descriptor left', async () => {
    const { line } = await openLine()
    expect(line.send(accepted(-1), 1)).toBe(false)
    expect(line.send(accepted(1_000_000), 2)).toBe(false)
  })
})
