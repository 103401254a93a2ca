/** A class with the constructor of the WebSocket API. */
type ClientClass = new (url: string, protocols?: string[]) => unknown

export const scenarios: Readonly<Record<string, (client: ClientClass, url: string) => Promise<unknown>>>
export const expected: Readonly<Record<string, unknown>>
export function shardsOf(client: ClientClass, url: string, count: number): Promise<string[]>
export function compressedEcho(
  client: ClientClass,
  url: string,
): Promise<{ extensions: string; code: number; wrong: number; messages: number }>
