import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { resolvedDropIn, routeSuffixesChange, unrouteSuffixesChange } from './resolved-drop-in.ts'
import { makeChange } from './system-change.ts'
import { systemPathsBelow } from './system-paths.ts'

const root = mkdtempSync(join(tmpdir(), 'locald-resolved-'))
afterAll(() => rmSync(root, { recursive: true }))
const paths = systemPathsBelow(root)
const setup = { port: 15_353, suffixes: ['dev.example.com', 'test'] }

test('the drop-in routes its suffixes, and nothing else', () => {
  expect(resolvedDropIn(setup)).toBe(
    '# Written by "locald admin setup --dns"; "locald admin setup --undo" removes it.\n' +
      '[Resolve]\nDNS=127.0.0.1:15353\nDomains=~dev.example.com ~test\n',
  )
  expect(() => resolvedDropIn({ port: 1, suffixes: ['test\nDNS=10.0.0.1'] })).toThrow('is no suffix')
})

test('without systemd-resolved there is nothing to set up', () => {
  expect(() => routeSuffixesChange(paths, setup)).toThrow('systemd-resolved does not run here')
})

test('the change is made once, and undone', async () => {
  mkdirSync(paths.resolvedRuntime, { recursive: true })
  const change = routeSuffixesChange(paths, setup)
  expect(change).toMatchObject({ effect: { type: 'command', argv: ['systemctl', 'restart', 'systemd-resolved'] } })
  if (change === null) throw new Error('No change')
  await makeChange({ ...change, effect: null })
  expect(readFileSync(paths.resolvedFile, 'utf8')).toBe(resolvedDropIn(setup))
  expect(routeSuffixesChange(paths, setup)).toBeNull()
  const undo = unrouteSuffixesChange(paths)
  if (undo === null) throw new Error('No change')
  await makeChange({ ...undo, effect: null })
  expect(unrouteSuffixesChange(paths)).toBeNull()
})

test('a command that fails is reported with its words', async () => {
  const change = { title: '', file: { path: join(root, 'file'), text: '' }, notes: [] }
  const effect = { type: 'command' as const, argv: ['sh', '-c', 'echo no such unit >&2; exit 5'] }
  await expect(makeChange({ ...change, effect })).rejects.toMatchObject({
    code: 'setup_failed',
    message: '"sh -c echo no such unit >&2; exit 5" failed (5): no such unit',
  })
})
