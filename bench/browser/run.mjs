// Serves the benchmark page and, unless it is to be opened by hand, runs it in Chromium: `node bench/browser/run.mjs`,
// or with `--serve` and the browser of your choice. It wants `npm run build` first.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname } from 'node:path'
import { chromium } from 'playwright'

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' }

/** Paths below /dist/ are the package's, others of this folder. */
function fileOf(path) {
  if (path.startsWith('/dist/')) return new URL(`../..${path}`, import.meta.url)
  return new URL(path === '/' ? './index.html' : `.${path}`, import.meta.url)
}

const server = createServer((request, response) => {
  const file = fileOf(new URL(request.url, 'http://localhost').pathname)
  readFile(file).then(
    body => {
      // Finer clocks for the page.
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
      response.setHeader('Content-Type', TYPES[extname(file.pathname)] ?? 'application/octet-stream')
      response.end(body)
    },
    () => response.writeHead(404).end(),
  )
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}/`

if (process.argv.includes('--serve')) console.log(`open ${url}`)
else {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  })
  const page = await browser.newPage()
  await page.goto(url)
  const results = await page.evaluate('results')
  console.log(`Chromium ${browser.version()}, GB/s of payload`)
  console.table(
    results.map(row =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value.toFixed(2))])),
    ),
  )
  await browser.close()
  server.close()
}
