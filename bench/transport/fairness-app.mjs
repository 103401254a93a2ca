// An echo whose shard also has work of its own: a timer every 10 ms, and a read of a file with each. Over HTTP it
// tells how late the timer was and how long the read took, in microseconds, since it was asked last.
import { readFile } from 'node:fs/promises'
import { createHistogram } from 'node:perf_hooks'

const INTERVAL_MS = 10
const late = createHistogram()
const read = createHistogram()

function record(histogram, milliseconds) {
  histogram.record(Math.max(1, Math.round(milliseconds * 1000)))
}

function next() {
  const due = performance.now() + INTERVAL_MS
  setTimeout(() => {
    const now = performance.now()
    record(late, now - due)
    void readFile(import.meta.filename).then(() => record(read, performance.now() - now))
    next()
  }, INTERVAL_MS)
}

export default {
  start: next,
  message(socket, data) {
    socket.send(data)
  },
  http(_request, response) {
    response.end(
      JSON.stringify({
        lateP50Us: late.percentile(50),
        lateP99Us: late.percentile(99),
        readP50Us: read.percentile(50),
        readP99Us: read.percentile(99),
      }),
    )
    late.reset()
    read.reset()
  },
}
