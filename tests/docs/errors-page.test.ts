import { readFileSync } from 'node:fs'
import { errorKinds, exitCodes } from '@locald/protocol'
import { expect, test } from 'vitest'

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')

test('docs/errors.md lists every error with its status and exit code, in the order of the registry', () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| (\d+) \|/gmu)].map(([, code, status, exit]) => [
    code,
    { status: Number(status), exit: Number(exit) },
  ])
  expect(rows).toEqual(Object.entries(errorKinds))
})

test('docs/errors.md lists every exit code', () => {
  const listed = [...page.matchAll(/^\| (\d+) \| /gmu)].map(([, code]) => Number(code))
  expect(listed).toEqual([...Object.values(exitCodes), 130])
})
