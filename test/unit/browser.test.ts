import { describe, expect, test } from 'vitest'
import config from '../../vitest.config.js'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'

describe('test/isomorphic', needs(chromiumPath(), counterparts.chromium.reason), () => {
  test('runs in Chromium, too', () => {
    expect(config.test?.projects).toContainEqual(
      expect.objectContaining({
        test: expect.objectContaining({
          name: 'browser',
          include: ['test/{isomorphic,browser}/**/*.test.ts'],
          browser: expect.objectContaining({ enabled: true }) as never,
        }) as never,
      }),
    )
  })
})
