// What every client with the WebSocket API of browsers must be able to do with the server. It runs as it is in Node and
// in browsers: `Client` is the class under test, `url` that of a server with test-app.mjs. Each scenario resolves with
// facts, which `expected` has.

const MAX_PAYLOAD = 2 ** 20
const SIZES = [0, 1, 125, 126, 65_535, 65_536, MAX_PAYLOAD]
const WORDS = 'shardws: añ€😀 '

/** Text whose UTF-8 has `size` bytes. */
function textOf(size, words = WORDS) {
  const unit = new TextEncoder().encode(words).length
  return words.repeat(Math.floor(size / unit)) + 'x'.repeat(size % unit)
}

function bytesOf(size) {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 0xff)
}

function same(one, other) {
  const [a, b] = [new Uint8Array(one), new Uint8Array(other)]
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** A connection whose messages can be awaited one by one. */
class Session {
  #messages = []
  #ended = false
  #wake = () => {}

  static open(Client, url, protocols = []) {
    const session = new Session(new Client(url, protocols))
    return new Promise((resolve, reject) => {
      session.socket.addEventListener('open', () => resolve(session))
      session.socket.addEventListener('close', ({ code }) => reject(new Error(`not opened: ${code}`)))
    })
  }

  constructor(socket) {
    this.socket = socket
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', ({ data }) => {
      this.#messages.push(data)
      this.#wake()
    })
    // Scripts are not told what the error was; `close` follows.
    socket.addEventListener('error', () => {})
    this.closed = new Promise(resolve => {
      socket.addEventListener('close', ({ code, reason, wasClean }) => {
        this.#ended = true
        this.#wake()
        resolve({ code, reason, wasClean })
      })
    })
  }

  async next() {
    while (this.#messages.length === 0) {
      if (this.#ended) throw new Error('closed before a message came')
      await new Promise(resolve => {
        this.#wake = resolve
      })
    }
    return this.#messages.shift()
  }

  ask(data) {
    this.socket.send(data)
    return this.next()
  }

  close(...status) {
    this.socket.close(...status)
    return this.closed
  }
}

export const scenarios = {
  async 'text of every form of length comes back'(Client, url) {
    const session = await Session.open(Client, url)
    const right = []
    for (const size of SIZES) {
      for (const words of [WORDS, 'ascii only ']) {
        const text = textOf(size, words)
        right.push((await session.ask(text)) === text)
      }
    }
    await session.close(1000)
    return right.every(Boolean) && right.length
  },

  async 'binary of every form of length comes back'(Client, url) {
    const session = await Session.open(Client, url)
    const right = []
    for (const size of SIZES) {
      const bytes = bytesOf(size)
      right.push(same(await session.ask(bytes), bytes))
      // A part of a buffer, at an odd place.
      right.push(same(await session.ask(bytes.subarray(3)), bytes.subarray(3)))
    }
    await session.close(1000)
    return right.every(Boolean) && right.length
  },

  async 'a thousand messages under way come back in order'(Client, url) {
    const session = await Session.open(Client, url)
    for (let i = 0; i < 1000; i++) session.socket.send(i % 3 === 0 ? bytesOf(i) : `${i} ${textOf(i)}`)
    let right = 0
    for (let i = 0; i < 1000; i++) {
      const answer = await session.next()
      if (i % 3 === 0 ? same(answer, bytesOf(i)) : answer === `${i} ${textOf(i)}`) right++
    }
    await session.close(1000)
    return right
  },

  async 'the server picks a subprotocol'(Client, url) {
    const without = await Session.open(Client, url)
    const one = await Session.open(Client, url, ['unknown', 'two', 'one'])
    const { protocol } = JSON.parse(await one.ask('!facts'))
    const protocols = [without.socket.protocol, one.socket.protocol, protocol]
    await Promise.all([without.close(1000), one.close(1000)])
    return protocols
  },

  async 'no extension is agreed on'(Client, url) {
    const session = await Session.open(Client, url)
    const { extensions } = session.socket
    await session.close(1000)
    return extensions
  },

  async 'the client closes with code and reason'(Client, url) {
    const session = await Session.open(Client, url)
    const { code, wasClean } = await session.close(4321, 'by the client €')
    return { code, wasClean }
  },

  async 'the client closes without a code'(Client, url) {
    const session = await Session.open(Client, url)
    const { code, wasClean } = await session.close()
    return { code, wasClean }
  },

  async 'the server closes with code and reason'(Client, url) {
    const session = await Session.open(Client, url)
    session.socket.send('!close 4567 by the server €')
    return session.closed
  },

  async 'what the server sent before its close still comes'(Client, url) {
    const session = await Session.open(Client, url)
    for (const message of ['one', 'two', '!close 4000']) session.socket.send(message)
    const messages = [await session.next(), await session.next()]
    return [...messages, (await session.closed).code]
  },

  async 'a Ping of the server is answered with its payload'(Client, url) {
    const session = await Session.open(Client, url)
    const answer = await session.ask('!ping payload')
    await session.close(1000)
    return answer
  },

  async 'a message over the limit ends the connection'(Client, url) {
    const session = await Session.open(Client, url)
    session.socket.send(bytesOf(MAX_PAYLOAD + 1))
    return (await session.closed).code
  },

  async 'TCP is cut by the server'(Client, url) {
    const session = await Session.open(Client, url)
    session.socket.send('!terminate')
    const { code, wasClean } = await session.closed
    return { code, wasClean }
  },

  async 'a refused handshake is an error'(Client, url) {
    const socket = new Client(`${url}?status=403`)
    // Not all clients let `close` follow.
    return new Promise(resolve => {
      for (const type of ['open', 'error']) socket.addEventListener(type, () => resolve(type))
    })
  },
}

export const expected = {
  'text of every form of length comes back': SIZES.length * 2,
  'binary of every form of length comes back': SIZES.length * 2,
  'a thousand messages under way come back in order': 1000,
  'the server picks a subprotocol': ['', 'two', 'two'],
  'no extension is agreed on': '',
  'the client closes with code and reason': { code: 4321, wasClean: true },
  'the client closes without a code': { code: 1005, wasClean: true },
  'the server closes with code and reason': { code: 4567, reason: 'by the server €', wasClean: true },
  'what the server sent before its close still comes': ['one', 'two', 4000],
  'a Ping of the server is answered with its payload': 'pong payload',
  'a message over the limit ends the connection': 1009,
  'TCP is cut by the server': { code: 1006, wasClean: false },
  'a refused handshake is an error': 'error',
}

/** Opens connections and asks each for its shard while all are open. */
export async function shardsOf(Client, url, count) {
  const sessions = await Promise.all(Array.from({ length: count }, () => Session.open(Client, url)))
  const shards = await Promise.all(sessions.map(session => session.ask('!shard')))
  await Promise.all(sessions.map(session => session.close(1000)))
  return shards
}

/** 0 to below 2^32, the same numbers in every run (xorshift). */
function* numbers() {
  for (let value = 7692; ; ) {
    value ^= value << 13
    value ^= value >>> 17
    value ^= value << 5
    yield value >>> 0
  }
}

/** What can be compressed, and what can't. */
function* compressible() {
  const random = numbers()
  const noise = size => Uint8Array.from({ length: size }, () => random.next().value & 0xff)
  for (const size of [...SIZES, 3, 1000, 20_000]) {
    yield textOf(size)
    yield textOf(size, '{"name":"Ada","at":1815},')
    yield Array.from(noise(size >> 1), byte => byte.toString(16).padStart(2, '0')).join('')
    yield bytesOf(size)
    yield noise(Math.min(size, 50_000))
  }
}

/** Echoes text and binary of many sizes, one by one and then all under way at once. */
export async function compressedEcho(Client, url) {
  const session = await Session.open(Client, url)
  const { extensions } = session.socket
  const messages = [...compressible()]
  const isSame = (one, other) => (typeof one === 'string' ? one === other : same(one, other))
  let right = 0
  for (const message of messages) if (isSame(message, await session.ask(message))) right++
  // Fewer than what may wait for a client that sends and does not read.
  for (const message of messages) session.socket.send(message)
  for (const message of messages) if (isSame(message, await session.next())) right++
  const { code } = await session.close(1000)
  return { extensions, code, wrong: 2 * messages.length - right, messages: 2 * messages.length }
}
