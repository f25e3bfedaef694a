// docs/cli.md lists what `locald help` knows: the same commands in the same order, with their words and options.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { CommandSpec } from '../../packages/locald/src/cli/command.ts'
import { commands } from '../../packages/locald/src/cli/commands.ts'

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

function rowOf({ name, aliases = [], summary, options = [] }: CommandSpec): string {
  const names = [name, ...aliases].map((each) => `\`${each}\``).join(', ')
  const flags = options.map((option) =>
    option.short === undefined ? `\`--${option.name}\`` : `\`-${option.short}\` \`--${option.name}\``,
  )
  return `| ${names} | ${summary} | ${flags.join(', ')} |`
}

test('docs/cli.md lists every command with its summary and options, in the order of help', () => {
  const [, table = ''] = page.split('## All commands')
  expect(table.split('\n').filter((line) => line.startsWith('| `'))).toEqual(commands.map(rowOf))
})
