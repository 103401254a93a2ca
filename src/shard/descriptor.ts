import { closeSync } from 'node:fs'

/** Closes a descriptor that nothing has been made of. */
export function closeDescriptor(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // It was no descriptor of ours after all; there is nothing to give back.
  }
}
