// What bench/browser measures, and what it has to come to.

export const ROUNDS = 9
export const SIZES = [64, 1024, 16_384, 65_536, 131_072, 2 ** 20, 2 ** 24]

/** Unmasking over a copy of the same bytes, in the same round: 10 GB/s where memory copy has 15. */
export const CRITERION = 10 / 15

/** A size as tables have it. */
export function sizeLabel(size) {
  return size < 1024 ? `${size} B` : size < 2 ** 20 ? `${size / 1024} KiB` : `${size / 2 ** 20} MiB`
}
