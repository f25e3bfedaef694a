import { expect, test } from 'vitest'
import { eventFaults } from './followers.ts'

test('events that all came are in order', () => {
  expect(eventFaults([3, 5, 8], [3, 5, 8])).toEqual([])
})

test('an event that never came is found, also the first and the last', () => {
  for (const missing of [3, 5, 8]) {
    const seen = [3, 5, 8].filter((seq) => seq !== missing)
    expect(eventFaults(seen, [3, 5, 8])).toEqual([`Event ${missing} never came`])
  }
})

test('one that came twice, too late, or out of nowhere is found', () => {
  expect(eventFaults([3, 3, 5], [3, 5])).toEqual(['Event 3 came 2 times'])
  expect(eventFaults([5, 3], [3, 5])).toEqual(['Event 3 came after 5'])
  expect(eventFaults([3, 4], [3])).toEqual(['Event 4 is not in the journal'])
})
