// The tables of ARCHITECTURE.md say what the code says.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { commands } from '../../packages/locald/src/cli/commands.ts'

const page = readFileSync(new URL('../../ARCHITECTURE.md', import.meta.url), 'utf8')

/** The cells of the table below a heading, without its head. */
function tableBelow(heading: string): readonly (readonly string[])[] {
  const [, section = ''] = page.split(`\n## ${heading}\n`)
  const [text = ''] = section.split('\n## ')
  const rows = text.split('\n').filter((line) => line.startsWith('|'))
  return rows.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** `.dependency-cruiser.cjs` as folders, each with those that it may import. */
function layers(): Readonly<Record<string, readonly string[]>> {
  const { forbidden }: { forbidden: readonly { name: string; comment: string }[] } = createRequire(import.meta.url)(
    '../../.dependency-cruiser.cjs',
  )
  return Object.fromEntries(
    forbidden.flatMap(({ name, comment }) => {
      const folder = /^(.+)-may-import$/u.exec(name)?.[1]
      const allowed = /may import only (.+) and @locald\/protocol$/u.exec(comment)?.[1]?.split(', ') ?? []
      return folder === undefined ? [] : [[folder, allowed.filter((other) => other !== folder).sort()]]
    }),
  )
}

test('ARCHITECTURE.md shows the layers that are enforced', () => {
  const shown: Record<string, readonly string[]> = {}
  for (const [folder = '', , allowed = ''] of tableBelow('Layers')) {
    const named = allowed === 'all of the above' ? Object.keys(shown) : allowed.split(', ')
    shown[folder.replaceAll('`', '')] = named.filter((name) => name !== '–').sort()
  }
  expect(shown).toEqual(layers())
})

test('ARCHITECTURE.md leads from every command to its code', () => {
  const shown = new Set(
    tableBelow('From a command to its code').flatMap(([names = '']) =>
      [...names.matchAll(/`([^`]+)`/gu)].map(([, name]) => name),
    ),
  )
  const isShown = (name: string): boolean => shown.has(name) || shown.has(`${name.split(' ')[0]} …`)
  expect(commands.map(({ name }) => name).filter((name) => !isShown(name))).toEqual([])
})
