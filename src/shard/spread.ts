/** How often the next ones have their turn, in milliseconds. */
const STEP_MS = 20

/**
 * Does something to each of `things`, spread evenly over `spreadMs`: the first ones in a moment, the last at the end.
 *
 * @param isOver asked at each step: nothing is left to be done
 */
export function spread<T>(
  things: readonly T[],
  spreadMs: number,
  act: (thing: T) => void,
  isOver: () => boolean,
): Promise<void> {
  if (spreadMs === 0) {
    for (const thing of things) act(thing)
    return Promise.resolve()
  }
  const begin = performance.now()
  let done = 0
  return new Promise(resolve => {
    const timer = setInterval(step, Math.min(STEP_MS, spreadMs))
    function step(): void {
      const share = Math.min(1, (performance.now() - begin) / spreadMs)
      const due = Math.floor(share * things.length)
      while (done < due) act(things[done++])
      if (done < things.length && !isOver()) return
      clearInterval(timer)
      resolve()
    }
  })
}
