export const expected: { messages: number; wrong: number }
export function outgoing(): Promise<string>
export function incoming(wire: string): Promise<{ messages: number; wrong: number }>
