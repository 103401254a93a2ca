import { describe, expect, it } from 'vitest'
import { findTransports } from '../../../src/shard/transports.js'

describe('SHARDWS_TRANSPORT', () => {
  it('is not needed', async () => {
    expect(await findTransports('')).toBe(await findTransports(undefined))
  })

  it.each(['nothing', '../transport/epoll', 'epoll.mjs', 'Epoll', ' '])(
    'is refused where it names no experiment: %j',
    async name => {
      await expect(findTransports(name)).rejects.toMatchObject({
        code: 'ERR_TRANSPORT',
        message: expect.stringContaining(JSON.stringify(name)),
      })
    },
  )
})
