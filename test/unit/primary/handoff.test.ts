import { fstatSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { OptionError } from '../../../src/errors.js'
import { Counter, Ledger } from '../../../src/ledger.js'
import type { ToShard } from '../../../src/messages.js'
import { findHandoff, type HandoffLine } from '../../../src/primary/handoff.js'
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

/** An accepted socket as far as the hand-off looks at it. */
class Accepted extends Socket {
  constructor(fd: number) {
    super()
    Object.assign(this, { _handle: { fd, close() {}, unref() {}, ref() {} } })
  }
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

  async function openLine(): Promise<{ line: HandoffLine; ledger: Ledger; take: () => number }> {
    const { port1, port2 } = new MessageChannel()
    ports.push(port1, port2)
    const ledger = new Ledger()
    const open = await findHandoff('descriptor')
    if (open === undefined) throw new Error('no descriptor way')
    const take = () => {
      const { message } = receiveMessageOnPort(port2) as { message: ToShard }
      return message.type === 'descriptor' ? message.fd : -1
    }
    return { line: open(port1, ledger), ledger, take }
  }

  it('sends a duplicate, which child processes do not inherit, and destroys the accepted socket', async () => {
    const { line, take } = await openLine()
    const accepted = openSync('/dev/null', 'r')
    const socket = new Accepted(accepted)
    expect(line.send(socket, 5)).toBe(true)
    const fd = take()
    expect(fd).not.toBe(accepted)
    expect(isOpen(fd)).toBe(true)
    expect(socket.destroyed).toBe(true)
    line.close()
    expect(isOpen(fd)).toBe(false)
  })

  it.each([0, 1, 255, 256, 257, 600])('closes exactly those beyond the %i adopted', async adopted => {
    const { line, ledger, take } = await openLine()
    const sent: number[] = []
    const accepted = openSync('/dev/null', 'r')
    for (let count = 0; count < 600; count++) {
      line.send(new Accepted(accepted), count)
      sent.push(take())
      if (count < adopted) ledger.counters[Counter.ADOPTED] = count + 1
    }
    line.close()
    expect(sent.map(isOpen)).toEqual(sent.map((_, index) => index < adopted))
    // A second time would close what has these numbers by then.
    const reused = openSync('/dev/null', 'r')
    line.close()
    expect(isOpen(reused)).toBe(true)
  })

  it('says no when the socket has ended or there is no descriptor left', async () => {
    const { line } = await openLine()
    expect(line.send(new Socket(), 1)).toBe(false)
    expect(line.send(new Accepted(1_000_000), 2)).toBe(false)
  })
})
