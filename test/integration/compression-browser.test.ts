// A real browser, which compresses by itself, and the built package.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { compressedEcho } from '../browser/scenarios.mjs'
import { chromiumPath, counterparts } from '../counterparts.js'
import { needs } from '../needs.js'
import { Chromium } from '../support/chromium.js'
import { parseMetrics, total } from '../support/metrics.js'
import { ServerProcess } from '../support/server-process.js'

const chromium = chromiumPath()

describe('Chromium', needs(chromium, counterparts.chromium.reason), () => {
  let browser: Chromium

  beforeAll(async () => {
    browser = await Chromium.start(chromium ?? '')
  })

  afterAll(() => browser.close())

  test.each([
    ['context take-over, both ways', {}, 'permessage-deflate'],
    [
      'no context take-over',
      { serverNoContextTakeover: true, clientNoContextTakeover: true },
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    ],
    [
      'small windows',
      { serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
      'permessage-deflate; server_max_window_bits=9; client_max_window_bits=10',
    ],
    ['one compressor for all', { maxContexts: 1, threshold: 100 }, 'permessage-deflate'],
  ])('%s', async (_, settings, extensions) => {
    const server = await ServerProcess.start({
      workers: 1,
      app: 'browser-app.mjs',
      metricsPath: '/metrics',
      maxBackpressure: 2 ** 26,
      perMessageDeflate: { threshold: 0, ...settings },
    })
    try {
      const page = `http://127.0.0.1:${server.port}`
      await browser.open(`${page}/page`)
      const call = `import('/scenarios.mjs').then(module => module.compressedEcho(WebSocket, '${page}'))`
      const facts = (await browser.evaluate(call)) as Awaited<ReturnType<typeof compressedEcho>>
      expect(facts).toEqual({ extensions, code: 1000, wrong: 0, messages: facts.messages })
      expect(facts.messages).toBe(100)
      const metrics = parseMetrics(await (await fetch(`${page}/metrics`)).text())
      const value = (name: string) => total(metrics, `shardws_${name}_total`)
      // Chromium compresses all that it sends; of what it gets, noise goes as it is.
      expect(value('inflated_messages')).toBe(facts.messages)
      expect(value('deflated_messages')).toBeGreaterThan(facts.messages / 2)
      expect(value('deflate_output_bytes')).toBeLessThan(value('deflate_input_bytes') / 2)
    } finally {
      await server.close({ timeoutMs: 0 })
    }
  })
})
