import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeChange, makeChange, scriptOf } from './change.ts'
import type { Change } from './change.ts'
import { createPrivatePlace } from './testing/private-place.ts'

const text = "-----BEGIN-----\nit's $HOME `id` %s \\n\n-----END-----\n"

function changesIn(directory: string): readonly Change[] {
  const odd = join(directory, "o'dd $HOME")
  return [
    { type: 'directory', path: odd },
    { type: 'write', path: join(odd, 'ca.crt'), text },
    { type: 'write', path: join(odd, 'gone'), text: '' },
    { type: 'remove', path: join(odd, 'gone') },
    { type: 'remove', path: join(odd, 'never there') },
    { type: 'run', argv: ['/usr/bin/tee', join(odd, 'in put')], input: text },
  ]
}

test.each([
  [
    'by ourselves',
    async (changes: readonly Change[]) => {
      for (const change of changes) expect(await makeChange(change)).toBeNull()
    },
  ],
  [
    'as a script',
    async (changes: readonly Change[]) => {
      execFileSync('/bin/sh', ['-c', `umask 077\n${scriptOf(changes)}`], { stdio: 'ignore' })
    },
  ],
] as const)('changes do the same %s', async (_, make) => {
  // prettier-ignore
  using place = createPrivatePlace()
  await make(changesIn(place.root))
  await make(changesIn(place.root)) // and may be repeated
  const odd = join(place.root, "o'dd $HOME")
  expect(readFileSync(join(odd, 'ca.crt'), 'utf8')).toBe(text)
  expect(readFileSync(join(odd, 'in put'), 'utf8')).toBe(text)
  expect(statSync(join(odd, 'ca.crt')).mode & 0o777).toBe(0o644)
  expect(existsSync(join(odd, 'gone'))).toBe(false)
})

test('a script ends at the first change that fails', () => {
  using place = createPrivatePlace()
  const changes: readonly Change[] = [
    { type: 'run', argv: ['/bin/false'] },
    { type: 'write', path: join(place.root, 'after'), text },
  ]
  expect(() => execFileSync('/bin/sh', ['-c', scriptOf(changes)])).toThrow('Command failed')
  expect(existsSync(join(place.root, 'after'))).toBe(false)
})

test('a program that fails is told with its last words', async () => {
  const argv = ['/bin/sh', '-c', 'echo first >&2; echo last >&2; exit 3']
  expect(await makeChange({ type: 'run', argv })).toBe('/bin/sh -c failed: last')
  expect(await makeChange({ type: 'run', argv: ['/does/not/exist'] })).toMatch(/ENOENT/u)
})

test('changes are shown as they would be typed', () => {
  expect(describeChange({ type: 'run', argv: ['/usr/bin/certutil', '-n', 'a b'], input: text })).toBe(
    "run /usr/bin/certutil -n 'a b' < CA",
  )
  expect(describeChange({ type: 'write', path: '/etc/a.crt', text })).toBe('write /etc/a.crt')
})
