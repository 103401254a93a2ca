/** The text format of Prometheus, version 0.0.4: lines of samples, grouped in families with a help text and a type. */

export type Labels = Readonly<Record<string, string | number>>

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Collects the families of one answer. Each is begun once, and its samples follow at once. */
export class Exposition {
  #lines: string[] = []
  #name = ''

  /** @param name with its unit, in base units, and `_total` at the end of counters */
  begin(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): this {
    this.#name = name
    this.#lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`)
    return this
  }

  /** A sample of the family that was begun last. */
  sample(value: number, labels?: Labels): this {
    return this.#sample('', value, labels)
  }

  /**
   * All samples of a histogram.
   *
   * @param bounds upper bounds of the buckets, rising; a bound belongs to its bucket
   * @param counts of each bucket by itself, and of what is above the last
   */
  histogram(bounds: readonly number[], counts: readonly number[], sum: number): this {
    let total = 0
    for (const [index, bound] of [...bounds, Number.POSITIVE_INFINITY].entries()) {
      total += counts[index]
      this.#sample('_bucket', total, { le: formatNumber(bound) })
    }
    return this.#sample('_sum', sum).#sample('_count', total)
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`
  }

  #sample(suffix: string, value: number, labels: Labels = {}): this {
    const pairs = Object.entries(labels).map(([name, text]) => `${name}="${escapeLabel(String(text))}"`)
    const set = pairs.length === 0 ? '' : `{${pairs.join(',')}}`
    this.#lines.push(`${this.#name}${suffix}${set} ${formatNumber(value)}`)
    return this
  }
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
