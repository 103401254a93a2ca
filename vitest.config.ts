import { defineConfig } from 'vitest/config'
import { SummaryReporter } from './test/reporter.js'

export default defineConfig({
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
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Servers under load: one file at a time, else they measure and starve each other.
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
