export function check(api: typeof import('../../src/codec/index.js')): Promise<Record<string, unknown>>
export const expected: Readonly<Record<string, unknown>>
