import { expect, test } from 'vitest'
import { AgreedEnds } from './agreed-ends.ts'
import type { Endable } from './agreed-ends.ts'

function makeRuns(orders: Readonly<Record<string, readonly [of: string, depth: number] | null>>): {
  readonly runs: readonly Endable[]
  readonly ended: string[]
  readonly empty: (name: string) => void
} {
  const ended: string[] = []
  const emptied = new Set<string>()
  const runs = Object.entries(orders).map(([name, order]): Endable => {
    const agreed = { signal: 'SIGTERM', scope: 'group', timeoutMs: 1 } as const
    return {
      order: order === null ? {} : { recovery: { ...agreed, order: { of: order[0], depth: order[1] } } },
      get isEmptied() {
        return emptied.has(name)
      },
      endAsAgreed: () => ended.push(name),
    }
  })
  return { runs, ended, empty: (name) => emptied.add(name) }
}

test('AgreedEnds ends what needs others first, each once, and what they need when it is gone', () => {
  const { runs, ended, empty } = makeRuns({ db: ['p', 0], api: ['p', 1], web: ['p', 2], worker: ['p', 2] })
  const ends = new AgreedEnds()
  ends.add(runs)
  ends.advance()
  expect(ended).toEqual(['web', 'worker'])
  empty('web')
  ends.advance()
  expect(ended).toEqual(['web', 'worker'])
  empty('worker')
  ends.advance()
  expect(ended).toEqual(['web', 'worker', 'api'])
  empty('api')
  ends.advance()
  ends.advance()
  expect(ended).toEqual(['web', 'worker', 'api', 'db'])
})

test('AgreedEnds has no project wait for another, nor a run of which nothing was said', () => {
  const { runs, ended } = makeRuns({ a: ['p', 3], b: ['q', 0], old: null })
  new AgreedEnds().add(runs)
  expect(ended).toEqual(['a', 'b', 'old'])
})

test('AgreedEnds passes over what ended by itself before its turn', () => {
  const { runs, ended, empty } = makeRuns({ db: ['p', 0], api: ['p', 1], web: ['p', 2] })
  empty('api')
  const ends = new AgreedEnds()
  ends.add(runs)
  empty('web')
  ends.advance()
  expect(ended).toEqual(['web', 'db'])
})
