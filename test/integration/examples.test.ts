// The examples, and the chat of the README, each on two shards with several clients.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { App, SendStatus, Socket } from '../../src/app.js'
import { Command } from '../command.js'
import { Inbox } from '../inbox.js'

let server: Command | undefined

/** With round robin, clients that connect one after the other are on different shards. */
async function start(app: string): Promise<string> {
  server = await Command.listening([app, '--workers', '2', '--balance', 'round-robin'])
  return server.url
}

async function connectAll(url: string, ...queries: string[]): Promise<Inbox[]> {
  const clients: Inbox[] = []
  for (const query of queries) clients.push(await Inbox.open(`${url}/${query}`))
  return clients
}

afterEach(async () => {
  if (server === undefined) return
  const { code, stderr } = await server.stop()
  server = undefined
  if (code !== 0 || stderr !== '') throw new Error(`the server ended with ${code}: ${stderr}`)
})

describe('the chat of the README', () => {
  test('is 15 lines, and everybody hears everybody, on whatever shard', async () => {
    const readme = await readFile('README.md', 'utf8')
    const source = /```js\n(\/\/ chat\.mjs\n[\s\S]*?)```/.exec(readme)?.[1] ?? ''
    const lines = source.split('\n').filter(line => line.trim() !== '' && !line.startsWith('//'))
    expect(lines.length).toBe(15)

    // In the package's own tree, so that it can import `shardws`.
    const directory = `build/readme-${process.pid}`
    await mkdir(directory, { recursive: true })
    try {
      await writeFile(`${directory}/chat.mjs`, source)
      const url = await start(`${directory}/chat.mjs`)
      const clients = await connectAll(url, '?name=Ada', '?name=Bob', '?name=Cem', '')
      for (const [index, name] of ['Ada', 'Bob', 'Cem', 'somebody'].entries()) {
        clients[index].send(`hello ${index}`)
        for (const client of clients) expect(await client.next()).toBe(`${name}: hello ${index}`)
      }
      await clients[0].close()
      clients[1].send('still there?')
      for (const client of clients.slice(1)) expect(await client.next()).toBe('Bob: still there?')
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})

describe('examples/chat', () => {
  test('has rooms, each on all shards', async () => {
    const url = await start('examples/chat/app.mjs')
    const ada = await Inbox.open(`${url}/?name=Ada&room=tea`)
    expect(await ada.next()).toBe('* Ada came')
    const bob = await Inbox.open(`${url}/?name=Bob&room=tea`)
    expect([await ada.next(), await bob.next()]).toEqual(['* Bob came', '* Bob came'])
    const cem = await Inbox.open(`${url}/?name=Cem`)
    expect(await cem.next()).toBe('* Cem came')

    ada.send('milk?')
    expect([await ada.next(), await bob.next()]).toEqual(['Ada: milk?', 'Ada: milk?'])
    bob.send('ça va')
    expect([await ada.next(), await bob.next()]).toEqual(['Bob: ça va', 'Bob: ça va'])
    cem.send('anybody?')
    expect(await cem.next()).toBe('Cem: anybody?')

    await bob.close()
    expect(await ada.next()).toBe('* Bob left')
    ada.socket.send(Buffer.from('binary'))
    expect(await ada.closed).toBe(1003)
  })

  test('wants a name, and shows its page', async () => {
    const url = await start('examples/chat/app.mjs')
    await expect(Inbox.open(url)).rejects.toThrow('400')
    await expect(Inbox.open(`${url}/?name=${'x'.repeat(33)}`)).rejects.toThrow('400')
    const response = await fetch(url.replace('ws:', 'http:'))
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(await response.text()).toBe(await readFile('examples/chat/index.html', 'utf8'))
  })
})

describe('examples/monitor', () => {
  test('pushes samples of all shards to the watchers of all shards', async () => {
    const url = await start('examples/monitor/app.mjs')
    const clients = await connectAll(url, '', '')
    for (const client of clients) {
      let sample: { shards: { shard: number; watchers: number; utilization: number }[] }
      do {
        sample = JSON.parse(await client.next()) as typeof sample
      } while (sample.shards.length < 2 || sample.shards.some(({ watchers }) => watchers === 0))
      expect(sample.shards).toMatchObject([
        { shard: 0, watchers: 1 },
        { shard: 1, watchers: 1 },
      ])
    }
  })
})

interface Watcher {
  isBehind: boolean
  skipped: number
}

describe('examples/monitor, with a client that reads slowly', () => {
  test('sends nothing more until it has taken what it got', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const file = resolve('examples/monitor/app.mjs')
    const { default: app } = (await import(file)) as { default: App<Watcher> }
    try {
      app.start?.({ index: 0, workers: 1, generation: 0 })
      let status: SendStatus = 'sent'
      let sent = 0
      const send = (): SendStatus => {
        sent++
        return status
      }
      const socket = { data: { isBehind: false, skipped: 0 }, send } as unknown as Socket<Watcher>
      app.open?.(socket)
      vi.advanceTimersByTime(2000)
      expect(sent).toBe(2)
      status = 'buffered'
      vi.advanceTimersByTime(5000)
      expect({ sent, skipped: socket.data.skipped }).toEqual({ sent: 3, skipped: 4 })
      status = 'sent'
      app.drain?.(socket)
      vi.advanceTimersByTime(2000)
      expect({ sent, skipped: socket.data.skipped }).toEqual({ sent: 5, skipped: 4 })
      app.close?.(socket, 1000, '')
      vi.advanceTimersByTime(2000)
      expect(sent).toBe(5)
    } finally {
      await app.stop?.()
      vi.useRealTimers()
    }
  })
})

/** A client of the collaborative editor, as its page is one: one edit under way at a time, rebased and sent again. */
class Editor {
  text = ''
  revision = 0
  readonly inbox: Inbox
  #you = ''

  private constructor(inbox: Inbox) {
    this.inbox = inbox
  }

  static async open(url: string): Promise<Editor> {
    const editor = new Editor(await Inbox.open(url))
    const { type, you, revision, text } = JSON.parse(await editor.inbox.next()) as Record<string, never>
    if (type !== 'document') throw new Error(`a ${String(type)} came first`)
    editor.#you = you
    editor.revision = revision
    editor.text = text
    return editor
  }

  /** Applies the next edit of anybody. @returns whether it was this client's own */
  async follow(): Promise<boolean> {
    const edit = JSON.parse(await this.inbox.next()) as {
      base: number
      at: number
      remove: number
      insert: string
      author: string
    }
    if (edit.base !== this.revision) throw new Error(`${edit.base} follows ${this.revision}`)
    this.text = this.text.slice(0, edit.at) + edit.insert + this.text.slice(edit.at + edit.remove)
    this.revision++
    return edit.author === this.#you
  }

  propose(at: number, remove: number, insert: string): void {
    this.inbox.send(JSON.stringify({ base: this.revision, at, remove, insert }))
  }

  /** Appends, again and again until the edit is the one that counts. */
  async append(insert: string): Promise<void> {
    do this.propose(this.text.length, 0, insert)
    while (!(await this.follow()))
  }
}

describe('examples/collab', () => {
  test('edits made at the same time on different shards end in one text that has them all', async () => {
    const url = await start('examples/collab/app.mjs')
    const editors = await Promise.all([1, 2, 3, 4].map(() => Editor.open(url)))
    const edits = 20
    await Promise.all(
      editors.map(async (editor, who) => {
        for (let count = 0; count < edits; count++) await editor.append(`<${who}.${count}>`)
        while (editor.revision < edits * editors.length) await editor.follow()
      }),
    )
    const [{ text }] = editors
    for (const editor of editors) expect(editor.text).toBe(text)
    const pieces = text.match(/<[^>]*>/g) ?? []
    expect(pieces.join('')).toBe(text)
    for (let who = 0; who < editors.length; who++) {
      const own = pieces.filter(piece => piece.startsWith(`<${who}.`))
      expect(own).toEqual(Array.from({ length: edits }, (_, count) => `<${who}.${count}>`))
    }

    const late = await Promise.all([1, 2].map(() => Editor.open(url)))
    for (const editor of late) expect(editor).toMatchObject({ text, revision: edits * editors.length })
  })

  test('removes, drops what is out of date, and closes what is no edit', async () => {
    const url = await start('examples/collab/app.mjs')
    const [ada, bob] = [await Editor.open(url), await Editor.open(url)]
    await ada.append('one two three')
    await bob.follow()
    bob.propose(4, 4, '')
    expect([await ada.follow(), await bob.follow()]).toEqual([false, true])
    expect([ada.text, bob.text]).toEqual(['one three', 'one three'])

    ada.inbox.send(JSON.stringify({ base: 0, at: 0, remove: 0, insert: 'too late' }))
    ada.propose(0, 3, 'two')
    expect([await ada.follow(), await bob.follow()]).toEqual([true, false])
    expect([ada.text, bob.text]).toEqual(['two three', 'two three'])

    ada.propose(5, 100, '')
    expect(await ada.inbox.closed).toBe(1008)
    bob.inbox.send('{"base":')
    expect(await bob.inbox.closed).toBe(1008)
  })
})
