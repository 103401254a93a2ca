// Rounds of a comparison: A B C, A B C, ..., so that whatever disturbs the machine disturbs all of them alike.

/** @typedef {{ median: number, min: number, max: number }} Spread */

/**
 * Measures every contestant in every round. One that fails is left out from then on, and its fault told.
 *
 * @param {number} rounds
 * @param {T[]} contestants
 * @param {(contestant: T) => Promise<Record<string, number>>} measure
 * @returns {Promise<{ contestant: T, metrics?: Record<string, Spread>, fault?: string }[]>}
 * @template T
 */
export async function interleave(rounds, contestants, measure) {
  const entries = contestants.map(contestant => ({ contestant, samples: [], fault: undefined }))
  for (let round = 0; round < rounds; round++) {
    for (const entry of entries) {
      if (entry.fault !== undefined) continue
      try {
        entry.samples.push(await measure(entry.contestant))
      } catch (error) {
        entry.fault = error.message
      }
    }
  }
  return entries.map(({ contestant, samples, fault }) =>
    fault === undefined ? { contestant, metrics: summarize(samples) } : { contestant, fault },
  )
}

function summarize(samples) {
  return Object.fromEntries(
    Object.keys(samples[0]).map(key => [key, spread(samples.map(sample => sample[key]))]),
  )
}

/** @returns {Spread} */
export function spread(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return { median, min: sorted[0], max: sorted[sorted.length - 1] }
}
