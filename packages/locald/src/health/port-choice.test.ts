import { describe, expect, test } from 'vitest'
import { choosePort, settleMs } from './port-choice.ts'
import type { Listener } from '../lib/listener.ts'

const at = (...ports: readonly number[]): readonly Listener[] =>
  ports.map((port, n) => ({ family: 4, port, address: '127.0.0.1', uid: 0, inode: n + 1, pid: null }))

describe('choosePort()', () => {
  test('takes the given port at once, whatever else is there', () => {
    const wish = { given: 5000, current: 3000, unchangedMs: 0 }
    expect(choosePort(at(3000, 5000, 4000), wish)).toEqual({ type: 'given', ports: [5000, 3000, 4000] })
  })

  test('waits before it believes a port elsewhere, then takes the lowest', () => {
    const wish = { given: 5000, current: null, unchangedMs: 100 }
    expect(choosePort(at(4000, 3000), wish)).toEqual({ type: 'elsewhere', ports: [3000, 4000], inMs: settleMs - 100 })
    expect(choosePort(at(4000, 3000), { ...wish, unchangedMs: settleMs })).toMatchObject({ inMs: 0 })
  })

  test('stays with the port that it chose before', () => {
    const wish = { given: 5000, current: 4000, unchangedMs: 0 }
    expect(choosePort(at(3000, 4000), wish)).toEqual({ type: 'elsewhere', ports: [4000, 3000], inMs: 0 })
  })

  test("passes over a debugger's port, and believes it late when it is the only one", () => {
    const wish = { given: 5000, current: null, unchangedMs: settleMs }
    expect(choosePort(at(9229, 30_000), wish)).toMatchObject({ ports: [30_000, 9229], inMs: 0 })
    const alone = choosePort(at(9229), wish)
    expect(alone).toMatchObject({ type: 'elsewhere' })
    expect(alone).not.toMatchObject({ inMs: 0 })
    expect(choosePort(at(9229), { ...wish, unchangedMs: 3000 })).toMatchObject({ inMs: 0 })
  })

  test("leaves a debugger's port as soon as the service listens", () => {
    const wish = { given: 5000, current: 9229, unchangedMs: settleMs }
    expect(choosePort(at(9229, 30_000), wish)).toMatchObject({ ports: [30_000, 9229] })
  })

  test('names each port once when it is bound on two addresses', () => {
    expect(choosePort(at(5000, 5000), { given: 5000, current: null, unchangedMs: 0 })).toMatchObject({ ports: [5000] })
  })

  test('finds nothing where nothing listens', () => {
    expect(choosePort([], { given: 5000, current: 5000, unchangedMs: 9999 })).toEqual({ type: 'none' })
  })
})
