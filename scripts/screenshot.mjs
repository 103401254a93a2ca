// Makes docs/inspector.png, which the README shows, of the page as it is: `npm run build && npm run screenshot`. An
// argument is another file to write to. Takes a Chromium in PATH.
import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright'

/** Bytes that a picture in a README may have. */
const MOST_BYTES = 200_000
const WIDTH = 1000

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const target = process.argv[2] ?? join(root, 'docs', 'inspector.png')

const executablePath = (process.env.PATH ?? '')
  .split(delimiter)
  .map(directory => join(directory, 'chromium'))
  .find(path => existsSync(path))
if (executablePath === undefined) throw new Error('there is no chromium in PATH')

const server = spawn(
  process.execPath,
  [join(root, 'dist', 'cli.js'), '--host', '127.0.0.1', '--port', '0', '--workers', '1'],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
try {
  const url = await new Promise(resolve => {
    createInterface(server.stdout).on('line', line => {
      const address = /http:\S+/.exec(line)
      if (address !== null) resolve(address[0])
    })
  })
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  const page = await browser.newPage({
    viewport: { width: WIDTH, height: 900 },
    deviceScaleFactor: 1.5,
    colorScheme: 'light',
    reducedMotion: 'reduce',
  })
  await page.goto(`${url}#inspector`)
  await page.locator('.cell[data-kind=masked]').first().click()
  await page.mouse.move(0, 0)
  const bottom = await page.locator('main').evaluate(element => element.getBoundingClientRect().bottom)
  await page.screenshot({ path: target, clip: { x: 0, y: 0, width: WIDTH, height: bottom + 24 } })
  await browser.close()
} finally {
  server.kill()
}
const { size } = statSync(target)
console.log(`${target}: ${size} bytes`)
if (size > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`)
