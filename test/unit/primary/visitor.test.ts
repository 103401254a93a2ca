import { describe, expect, it } from 'vitest'
import { ANYBODY, createVisitors } from '../../../src/primary/visitor.js'
import { resolveOptions, type ServeOptions } from '../../../src/serve-options.js'

const visitors = (options: ServeOptions = {}) => createVisitors(resolveOptions(options))

describe('an accepted connection', () => {
  it.each(['192.0.2.1', '10.0.0.1', '::ffff:192.0.2.1', '2001:db8::1', '::2'])(
    'from %s counts for the limits of its client',
    address => {
      const { key, counted, rated } = visitors()(address)
      expect(key).not.toBe('')
      expect([counted, rated]).toEqual([key, key])
    },
  )

  it.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1', 'unix'])(
    'from %s counts for those alone that were set',
    address => {
      const { key, ...byDefault } = visitors()(address)
      expect(key).not.toBe('')
      expect(byDefault).toEqual({ counted: '', rated: '' })
      // Also where it is what the default would be.
      expect(visitors({ maxConnectionsPerIp: 10_000 })(address)).toEqual({ key, counted: key, rated: '' })
      expect(visitors({ maxHandshakeRatePerIp: 5 })(address)).toEqual({ key, counted: '', rated: key })
    },
  )

  it('from a trusted proxy counts as nobody', () => {
    const visitorFrom = visitors({ trustProxy: ['192.0.2.0/24', 'unix'], maxConnectionsPerIp: 5 })
    expect([visitorFrom('192.0.2.9'), visitorFrom('unix')]).toEqual([ANYBODY, ANYBODY])
    expect(visitorFrom('198.51.100.1').counted).toBe('198.51.100.1')
  })
})
