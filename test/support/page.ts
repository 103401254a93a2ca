import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright'
import { chromiumPath } from '../counterparts.js'

/** A headless Chromium in which every page is watched: what it complains about, and where it connects to. */
export class WatchedBrowser {
  readonly #browser: Browser
  /** Complaints since `takeComplaints`: errors, warnings, what the Content-Security-Policy forbade. */
  readonly #complaints: string[] = []
  /** Of requests and WebSockets that left the origin of their page, except those that a test wants. */
  readonly #foreign: string[] = []

  static async start(): Promise<WatchedBrowser> {
    const executablePath = chromiumPath() ?? ''
    return new WatchedBrowser(await chromium.launch({ executablePath, args: ['--no-sandbox'] }))
  }

  private constructor(browser: Browser) {
    this.#browser = browser
  }

  /** Opens a page; `allowed` are the origins of WebSockets elsewhere that it may open. */
  async open(
    url: string,
    options: BrowserContextOptions = {},
    allowed: readonly string[] = [],
    prepare: (page: Page) => Promise<unknown> = () => Promise.resolve(),
  ): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    const page = await context.newPage()
    page.setDefaultTimeout(20_000)
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') this.#complaints.push(message.text())
    })
    page.on('pageerror', error => this.#complaints.push(`${error.name}: ${error.message}`))
    const { host } = new URL(url)
    const watch = (address: string): void => {
      const target = new URL(address)
      if (target.host !== host && !allowed.includes(target.host)) this.#foreign.push(address)
    }
    page.on('request', request => watch(request.url()))
    page.on('websocket', socket => watch(socket.url()))
    await prepare(page)
    await page.goto(url)
    return page
  }

  /** What pages have complained about since the last call, without what fits `expected`. Closes them all. */
  async takeComplaints(expected?: RegExp): Promise<string[]> {
    for (const context of this.#browser.contexts()) await context.close()
    const complaints = [
      ...this.#complaints.splice(0),
      ...this.#foreign.splice(0).map(url => `connects to ${url}`),
    ]
    return complaints.filter(text => expected === undefined || !expected.test(text))
  }

  close(): Promise<void> {
    return this.#browser.close()
  }
}
