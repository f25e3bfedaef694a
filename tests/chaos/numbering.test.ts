import type { LocaldEvent, LogLine } from '@locald/protocol'
import { expect, test } from 'vitest'
import { checkHealthRecords, checkNumbering } from './numbering.ts'
import type { Count } from './numbering.ts'

const at = '2026-01-01T00:00:00.000Z'
const line = (run: number, text: string): LogLine => ({ at, service: 'numbers', stream: 'stdout', run, text })
const started = (run: number, pid: number): LogLine => ({ ...line(run, `started with pid ${pid}`), stream: 'locald' })
const lost = (run: number): LogLine => ({ ...line(run, 'the keeper was lost; ending'), stream: 'locald' })
const whole = [started(1, 7), line(1, 'n 1'), line(1, 'n 2'), started(2, 8), line(2, 'n 1')]
const count = (pid: number, certain: number, possible = certain) => ({ service: 'numbers', pid, certain, possible })

const faultsOf = (lines: readonly LogLine[], counts: readonly Count[]): readonly string[] =>
  checkNumbering(lines, counts, { keeperWasLost: false }).faults

test('lines that are all there are in order', () => {
  expect(faultsOf(whole, [count(7, 1, 2), count(8, 1)])).toEqual([])
})

test('a line that is missing, comes twice or was never written is found', () => {
  expect(faultsOf([started(1, 7), line(1, 'n 1'), line(1, 'n 3')], [])).toHaveLength(1)
  expect(faultsOf([started(1, 7), line(1, 'n 1'), line(1, 'n 1')], [])).toHaveLength(1)
  expect(faultsOf(whole, [count(7, 1), count(8, 1)])).toEqual([expect.stringContaining('never wrote more')])
})

test('the end of a run that is missing is found, and so is a whole run', () => {
  expect(faultsOf(whole, [count(7, 3), count(8, 1)])).toEqual(['numbers run 1 ends with "n 2", and had written "n 3"'])
  expect(faultsOf(whole, [count(7, 2), count(8, 1), count(9, 40)])).toEqual([
    'A run of numbers (pid 9), which counted to 40, is missing whole',
  ])
})

test('what went down with a keeper is no fault, but told', () => {
  const lines = [started(1, 7), line(1, 'n 1'), lost(1)]
  const report = checkNumbering(lines, [count(7, 30), count(8, 0)], { keeperWasLost: true })
  expect(report).toEqual({ faults: [], lostWithKeeper: 29 })
  expect(checkNumbering(lines, [count(7, 30_000)], { keeperWasLost: true }).faults).toHaveLength(1)
})

test('a record of health that is missing or comes twice is found', () => {
  const healthy = { type: 'service.healthy', service: 'numbers', snapshot: { run: 1 } } as LocaldEvent
  const record: LogLine = { ...line(1, 'healthy (process)'), stream: 'locald' }
  expect(checkHealthRecords([record], [healthy])).toEqual([])
  expect(checkHealthRecords([], [healthy])).toEqual(['numbers run 1: 1 records of its health are missing'])
  expect(checkHealthRecords([record, record], [healthy])).toEqual(['numbers run 1: 1 records of its health too many'])
})
