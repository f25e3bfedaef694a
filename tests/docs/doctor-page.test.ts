import { readFileSync } from 'node:fs'
import { findingIds } from '@locald/protocol'
import { expect, test } from 'vitest'

const page = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8')

test('docs/doctor.md explains every finding, in the order in which they are told', () => {
  expect([...page.matchAll(/^## (.+)$/gmu)].map(([, id]) => id)).toEqual(findingIds)
})
