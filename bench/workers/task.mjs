// What every worker does: takes its task from the parent, tells its results, fails in words.
const tell = message => process.send(message)

/** @param {(task: any, tell: (message: object) => void) => Promise<void>} run */
export function onTask(run) {
  process.once('message', task => {
    run(task, tell).catch(error => tell({ error: error.message }))
  })
  process.on('disconnect', () => process.exit())
}
