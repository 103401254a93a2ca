import { describe, expect, it } from 'vitest'
import { OptionError } from '../../../src/errors.js'
import { loadApp } from '../../../src/shard/app-loader.js'

const moduleOf = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`
const load = (source: string) => loadApp(moduleOf(source), () => {})

describe('loadApp', () => {
  it('is the built-in application without a module', async () => {
    expect(Object.keys(await loadApp(undefined, () => {}))).toContain('message')
  })

  it('takes the default export', async () => {
    const app = await load('export default { message() {}, views: true }')
    expect(Object.keys(app)).toEqual(['message', 'views'])
  })

  it.each([
    ['no default export', 'export const message = 1', /no default export that is an application/],
    ['a default export that is none', 'export default 5', /no default export that is an application/],
    ['null', 'export default null', /no default export that is an application/],
    ['an unknown hook', 'export default { mesage() {} }', /app\.mesage is not a hook/],
    ['a hook that is no function', 'export default { open: 5 }', /app\.open must be a function/],
    ['views that are neither', 'export default { views: 1 }', /app\.views must be true or false/],
  ])('refuses a module with %s', async (_, source, message) => {
    const error = await load(source).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(OptionError)
    expect((error as Error).message).toMatch(message)
  })

  it('passes on what importing throws', async () => {
    await expect(load('throw new Error("on import")')).rejects.toThrow('on import')
    await expect(load('import "data:text/javascript,syntax error"')).rejects.toThrow(SyntaxError)
    await expect(loadApp('file:///nowhere/at/all.js', () => {})).rejects.toThrow(
      /Cannot find|does the file exist/,
    )
  })
})
