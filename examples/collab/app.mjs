// One text that many edit at the same time.
//
//   npm start -- examples/collab/app.mjs      then open http://localhost:9000 in two windows
//
// Shard 0 is the authority: it puts the edits into one order, and every shard applies them in that order, so that all
// copies go through the same revisions. An edit says which revision it was made on, and counts only if that is still
// the latest; it then is the next one. Who sees somebody else's edit take that place rebases its own and sends it again.
//
// What this does not promise: the text is in memory, so it is lost when shard 0 crashes (everybody then gets an empty
// one) or the server stops. Something to rely on writes each edit down before it announces it.
import { readFileSync } from 'node:fs'
import { BroadcastChannel } from 'node:worker_threads'
import { defineApp } from 'shardws'

const MOST_CHARACTERS = 100_000
const page = readFileSync(new URL('index.html', import.meta.url))

const editors = new Set()
let shard = 0
/** This shard's copy, never ahead of the authority's. */
let copy = { revision: 0, text: '' }
let haveCopy = () => {}

const shards = new BroadcastChannel('collab')
shards.addEventListener('message', ({ data: { type, body } }) => {
  // Messages of one shard arrive in the order they were sent, so a copy fits the edits that follow it.
  if (type === 'copy') adopt(body)
  else if (type === 'edit' && body.base === copy.revision) apply(body)
  else if (shard === 0 && type === 'proposal') decide(body)
  else if (shard === 0 && type === 'newcomer') shards.postMessage({ type: 'copy', body: copy })
})

/** The authority's decision: the first edit of a revision wins. */
function decide(edit) {
  if (edit.base !== copy.revision) return
  apply(edit)
  shards.postMessage({ type: 'edit', body: edit })
}

function apply(edit) {
  const { at, remove, insert } = edit
  const text = copy.text.slice(0, at) + insert + copy.text.slice(at + remove)
  copy = { revision: copy.revision + 1, text }
  const message = JSON.stringify({ type: 'edit', ...edit })
  for (const socket of editors) socket.send(message)
}

function adopt(document) {
  copy = document
  haveCopy()
  for (const socket of editors) welcome(socket)
}

function welcome(socket) {
  socket.send(JSON.stringify({ type: 'document', you: author(socket), ...copy }))
}

function author(socket) {
  return `${shard}-${socket.id}`
}

/** @returns undefined for what is no edit, or none that can be applied to this shard's copy */
function parseEdit(message) {
  try {
    const { base, at, remove, insert } = JSON.parse(message)
    const fits =
      [base, at, remove].every(number => Number.isSafeInteger(number) && number >= 0) &&
      typeof insert === 'string' &&
      // One that is out of date is no mistake; it is not applied, so that its place does not matter.
      (base !== copy.revision ||
        (at + remove <= copy.text.length && copy.text.length - remove + insert.length <= MOST_CHARACTERS))
    return fits ? { base, at, remove, insert } : undefined
  } catch {
    return undefined
  }
}

export default defineApp({
  async start({ index }) {
    shard = index
    if (shard === 0) {
      shards.postMessage({ type: 'copy', body: copy })
    } else {
      shards.postMessage({ type: 'newcomer' })
      await new Promise(resolve => {
        haveCopy = resolve
      })
    }
  },

  open(socket) {
    editors.add(socket)
    welcome(socket)
  },

  message(socket, message) {
    const edit = parseEdit(message)
    if (edit === undefined) return socket.close(1008, 'this is no edit of the document')
    const proposal = { ...edit, author: author(socket) }
    if (shard === 0) decide(proposal)
    else shards.postMessage({ type: 'proposal', body: proposal })
  },

  close(socket) {
    editors.delete(socket)
  },

  http(_request, response) {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.end(page)
  },

  stop() {
    shards.close()
  },
})
