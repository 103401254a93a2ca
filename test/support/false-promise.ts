type Then = (resolve: (value?: unknown) => void, reject: (error: unknown) => void) => void

/** What looks like a promise and is none: it does with its callbacks whatever it likes. */
export function falsePromise(then: Then): Promise<never> {
  // oxlint-disable-next-line unicorn/no-thenable
  return { then } as unknown as Promise<never>
}
