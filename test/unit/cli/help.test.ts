import { expect, test } from 'vitest'
import { helpText } from '../../../src/cli/help.js'
import { OPTIONS, type OptionRule } from '../../../src/serve-options.js'

const text = helpText()

test('fits into 80 columns, without blanks at the ends', () => {
  for (const line of text.split('\n')) {
    expect(line.length, line).toBeLessThanOrEqual(80)
    expect(line).toBe(line.trimEnd())
  }
  expect(text).toMatch(/[^\n]\n$/)
})

test.each(Object.entries(OPTIONS).filter(([name]) => name !== 'app' && name !== 'logger'))(
  'tells of %s its flag, its range and its default',
  (name, rule: OptionRule) => {
    const entries = text.split(/\n(?= {2}--)/).map(lines => lines.replace(/\s+/g, ' '))
    const flag = `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
    const own = entries.filter(lines => lines.startsWith(` ${flag} `))
    expect(own).toHaveLength(1)
    expect(own[0]).toContain(facts(name, rule))
  },
)

function facts(name: string, rule: OptionRule): string {
  if (rule.kind === 'integer') return `(${rule.min} to ${rule.max}; default ${rule.default}`
  if (rule.kind === 'choice') return `(${rule.choices.join(', ')}; default ${rule.default})`
  return name === 'host' ? '(default 0.0.0.0)' : rule.text
}

test('speaks of flags, not of options', () => {
  expect(text).toMatch(/beyond\s+--max-backpressure/)
  expect(text).not.toMatch(/maxBackpressure|stopTimeoutMs/)
})
