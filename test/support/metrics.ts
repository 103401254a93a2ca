import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'

/** What Prometheus reads in an answer: by name and labels, such as `shardws_connections{shard="0"}`. */
export type Samples = ReadonlyMap<string, number>

/**
 * Reads the text format, strictly.
 *
 * @throws when a line is none of it, a sample comes twice or stands outside of its family
 */
export function parseMetrics(text: string): Samples {
  const samples = new Map<string, number>()
  const families = new Set<string>()
  let family = ''
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-z_:][a-z0-9_:]*) (\S.*)$/.exec(line)
    if (comment !== null) {
      const [, kind, name] = comment
      if (kind === 'HELP' && families.has(name)) throw new Error(`${name} is there twice`)
      if (kind === 'TYPE' && name !== family) throw new Error(`the type of ${name} has no help before it`)
      families.add(name)
      family = name
      continue
    }
    const sample = /^([a-z_:][a-z0-9_:]*)((?:\{.*\})?) (\S+)$/.exec(line)
    if (sample === null) throw new Error(`not a line of the format: ${line}`)
    const [, name, labels, value] = sample
    if (name.replace(/_(?:bucket|sum|count)$/, '') !== family && name !== family) {
      throw new Error(`${line} stands under ${family}`)
    }
    if (samples.has(name + labels)) throw new Error(`${name + labels} is there twice`)
    samples.set(name + labels, Number(value.replace('Inf', 'Infinity')))
  }
  return samples
}

/** The sum of all samples of `name`, whatever their labels. */
export function total(samples: Samples, name: string): number {
  let sum = 0
  for (const [key, value] of samples) if (key === name || key.startsWith(`${name}{`)) sum += value
  return sum
}

/** Asks a server that was started with `metricsPath: '/metrics'`. */
export async function scrape(port: number): Promise<Samples> {
  const [response] = (await once(
    get({ port, host: '127.0.0.1', path: '/metrics', agent: false }),
    'response',
  )) as [IncomingMessage]
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return parseMetrics(body)
}
