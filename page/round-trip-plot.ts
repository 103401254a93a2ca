import { grouped } from './bytes.js'
import { createSvg } from './dom.js'
import { MOST_TIMES, type RoundTrips } from './round-trips.js'

/** Before it is laid out. */
const DEFAULT_WIDTH = 480
const HEIGHT = 120
/** Room for the numbers at the left. */
const LEFT = 52
const EDGE = 10

/** Milliseconds as people write them. */
export function formatMs(ms: number): string {
  return `${ms > 0 && ms < 10 ? ms.toFixed(1) : grouped(Math.round(ms))} ms`
}

/** Draws the times from left to right, the latest at the right. */
export function drawRoundTrips(svg: SVGSVGElement, trips: RoundTrips): void {
  const { times, summary, lost } = trips
  // A unit is a pixel, so that the numbers have the size of the text around them.
  const width = svg.clientWidth || DEFAULT_WIDTH
  svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`)
  const top = niceAbove(summary?.most ?? 1)
  const x = (index: number): number =>
    LEFT + ((index + MOST_TIMES - times.length) * (width - LEFT - EDGE)) / (MOST_TIMES - 1)
  const y = (ms: number): number => HEIGHT - EDGE - (ms * (HEIGHT - 2 * EDGE)) / top
  const lines = [0, top / 2, top].flatMap(ms => [
    createSvg('line', { class: 'grid', x1: LEFT, x2: width - EDGE, y1: y(ms), y2: y(ms) }),
    createSvg('text', { x: LEFT - 8, y: y(ms) + 4, 'text-anchor': 'end' }, formatMs(ms)),
  ])
  const points = times.map((ms, index) => `${x(index).toFixed(1)},${y(ms).toFixed(1)}`)
  const marks = times.map((ms, index) =>
    createSvg('circle', {
      cx: x(index).toFixed(1),
      cy: y(ms).toFixed(1),
      r: index === times.length - 1 ? 4 : 2,
    }),
  )
  svg.replaceChildren(...lines, createSvg('polyline', { points: points.join(' ') }), ...marks)
  svg.setAttribute(
    'aria-label',
    summary === undefined
      ? 'Round-trip times: none yet'
      : `${times.length} round-trip times: the last ${formatMs(summary.last)}, median ${formatMs(summary.median)}, ${formatMs(summary.least)} to ${formatMs(summary.most)}${lost === 0 ? '' : `, ${lost} without an answer`}`,
  )
}

/** 1, 2 or 5 times a power of ten, the first that is not below `ms`. */
function niceAbove(ms: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(ms, 0.1)))
  return [1, 2, 5, 10].map(factor => factor * power).find(step => step >= ms) ?? 10 * power
}
