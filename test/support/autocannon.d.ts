/** The part of autocannon that the tests use; it comes without types. */
declare module 'autocannon' {
  export interface Histogram {
    p50: number
    p90: number
    totalCount: number
  }

  export interface Result {
    '2xx': number
    '4xx': number
    non2xx: number
    errors: number
    timeouts: number
    mismatches: number
    statusCodeStats: Record<string, { count: number }>
    latency: Histogram
    requests: { sent: number }
  }

  export interface Options {
    url: string
    connections?: number
    duration?: number
    headers?: Record<string, string>
    setupClient?: (client: object) => void
  }

  export default function autocannon(options: Options): PromiseLike<Result>
}
