// The page of the built-in application in Chromium, as the packed package serves it.
import type { BrowserContextOptions, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, expect, inject } from 'vitest'
import { Command } from '../command.js'
import { WatchedBrowser } from './page.js'

/** A server of the packed package and a browser, for the tests of a file. */
export class ServedPage {
  /** What a test makes Chromium complain about; anything else fails it. */
  expected: RegExp | undefined
  #server: Command | undefined
  #browser: WatchedBrowser | undefined
  readonly #others: Command[] = []

  /** To be called in `describe`. */
  static use(): ServedPage {
    const served = new ServedPage()
    beforeAll(() => served.#start())
    afterEach(() => served.#check())
    afterAll(() => served.#stop())
    return served
  }

  get server(): Command {
    if (this.#server === undefined) throw new Error('the server has not been started')
    return this.#server
  }

  /** Of the page, without a slash at its end. */
  get url(): string {
    return this.server.url.replace('ws', 'http')
  }

  /**
   * @param path what follows the origin, or the whole address of a page elsewhere
   * @param allowed origins of WebSockets elsewhere that it may open
   * @param prepare what is done before the page loads
   */
  async open(
    path = '',
    options?: BrowserContextOptions,
    allowed?: readonly string[],
    prepare?: (page: Page) => Promise<unknown>,
  ): Promise<Page> {
    if (this.#browser === undefined) throw new Error('the browser has not been started')
    const isElsewhere = /^https?:/.test(path)
    const page = await this.#browser.open(isElsewhere ? path : this.url + path, options, allowed, prepare)
    if (!isElsewhere) await page.waitForSelector('[role=tabpanel]:not([hidden])')
    return page
  }

  /** One more server, which ends with the test. */
  async other(...args: string[]): Promise<Command> {
    const command = await Command.listening(['--workers', '1', ...args], { cli: inject('packedCli') })
    this.#others.push(command)
    return command
  }

  async #start(): Promise<void> {
    this.#server = await Command.listening(['--workers', '2'], { cli: inject('packedCli') })
    this.#browser = await WatchedBrowser.start()
  }

  async #check(): Promise<void> {
    const complaints = (await this.#browser?.takeComplaints(this.expected)) ?? []
    this.expected = undefined
    for (const command of this.#others.splice(0)) command.kill('SIGKILL')
    if (complaints.length > 0) throw new Error(`the browser complains:\n${complaints.join('\n')}`)
  }

  async #stop(): Promise<void> {
    await this.#browser?.close()
    const { code, stderr } = await this.server.stop()
    if (code !== 0 || stderr !== '') throw new Error(`the server ended with ${code}:\n${stderr}`)
  }
}

/** What an element shows. */
export function textOf(page: Page, selector: string): Promise<string> {
  return page.locator(selector).innerText()
}

/** Waits until an element's text fits, and fails with what it is otherwise. */
export async function assertShows(page: Page, selector: string, pattern: RegExp): Promise<void> {
  await expect.poll(() => textOf(page, selector), { timeout: 20_000 }).toMatch(pattern)
}

/** The `id` of what has the focus, or its text where it has none. */
export function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const { activeElement } = document
    return activeElement?.id || activeElement?.getAttribute('aria-label') || activeElement?.textContent || ''
  })
}

/** Presses the button of the playground and waits. */
export async function connect(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Connect', exact: true }).click()
  await assertShows(page, '#status', /^Connected to /)
}

/** The messages of the playground, the latest first, without their times. */
export async function messagesOf(page: Page): Promise<string[]> {
  const lines = await page.locator('#messages li').allInnerTexts()
  return lines.map(line => line.split(/\s+/).slice(1).join(' '))
}
