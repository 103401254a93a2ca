import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { chromiumPath } from './test/counterparts.js'
import { SummaryReporter } from './test/reporter.js'

const chromium = chromiumPath()

/** They load a server, or measure it: one file at a time, and nothing beside. */
const LOAD = [
  'test/integration/attacks/**/*.test.ts',
  'test/integration/{autocannon,backpressure,bench-cli,churn,compression-bombs,faults,integrity,reload-load}.test.ts',
]

/** What bundlers, browsers and other runtimes make of the package: the same on every Node. */
const PACKAGE = ['test/integration/{bundlers,codec-runtimes,compression-browser,examples}.test.ts']

/** What knows nothing of Node, in a real browser as well. Where there is none test/unit/browser.test.ts says so. */
const inChromium = (executablePath: string): TestProjectConfiguration => ({
  extends: true,
  test: {
    name: 'browser',
    include: ['test/{isomorphic,browser}/**/*.test.ts'],
    testTimeout: 60_000,
    sequence: { groupOrder: 4 },
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions: { executablePath, args: ['--no-sandbox'] } }),
      instances: [{ browser: 'chromium' }],
    },
  },
})

export default defineConfig({
  // As the package's own name does in Node, for examples that run in a browser.
  resolve: { alias: { 'shardws/codec': fileURLToPath(new URL('src/codec/index.ts', import.meta.url)) } },
  test: {
    reporters: ['default', new SummaryReporter()],
    // Processes, so that a test's workers, descriptors and exits are its own; they run the node that runs vitest.
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/{unit,vectors,fuzz,isomorphic}/**/*.test.ts'],
          testTimeout: 15_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: [...LOAD, ...PACKAGE],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // They wait more than they work, however many processors there are.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: PACKAGE,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'load',
          include: LOAD,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // The page of the built-in application. It is the same on every Node.
        extends: true,
        test: {
          name: 'page',
          include: ['test/page/**/*.test.ts'],
          globalSetup: 'test/page/global-setup.ts',
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
      ...(chromium === undefined ? [] : [inChromium(chromium)]),
    ],
  },
})
