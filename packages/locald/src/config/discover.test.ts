import { createHash } from 'node:crypto'
import { chown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { discover } from './discover.ts'

let home = ''
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'locald-discover-')))
})
afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

const devPackage = '{"scripts": {"dev": "vite"}}'

async function write(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const file = join(home, path)
    await mkdir(dirname(file), { recursive: true })
    if (!path.endsWith('/')) await writeFile(file, path.endsWith('package.json') ? devPackage : '')
    else await mkdir(file, { recursive: true })
  }
}

async function found(from: string, file?: string): Promise<string> {
  const result = await discover({ dir: join(home, from), home, ...(file === undefined ? {} : { file }) })
  return `${result.format} ${result.file.slice(home.length + 1)}`
}

const idOf = (path: string): string => createHash('sha256').update(path).digest('hex').slice(0, 12)

test.each([
  ['a locald.toml where it stands', ['a/locald.toml', 'a/Procfile'], 'a', 'toml a/locald.toml'],
  [
    'a locald.toml further up before a nearer Procfile',
    ['a/.git/', 'a/locald.toml', 'a/b/Procfile', 'a/b/c/'],
    'a/b/c',
    'toml a/locald.toml',
  ],
  ['the nearest of two', ['a/locald.toml', 'a/b/locald.toml'], 'a/b', 'toml a/b/locald.toml'],
  ['Procfile.dev before Procfile', ['a/Procfile', 'a/Procfile.dev'], 'a', 'procfile a/Procfile.dev'],
  [
    'a near package.json before a far Procfile',
    ['a/Procfile', 'a/b/package.json'],
    'a/b',
    'package.json a/b/package.json',
  ],
  ['a Procfile before a package.json', ['a/Procfile', 'a/package.json'], 'a', 'procfile a/Procfile'],
  ['what the git root holds', ['a/.git/', 'a/Procfile', 'a/b/c/'], 'a/b/c', 'procfile a/Procfile'],
  ['what the home directory holds', ['locald.toml', 'a/'], 'a', 'toml locald.toml'],
])('discover() finds %s', async (_, files, from, expected) => {
  await write(...files)
  expect(await found(from)).toBe(expected)
})

test('discover() does not look above the git root or the home directory', async () => {
  await write('locald.toml', 'a/.git/', 'a/b/')
  const error = await discover({ dir: join(home, 'a/b'), home }).catch((cause: unknown) => cause)
  expect(error).toMatchObject({ code: 'config_not_found', hint: expect.stringContaining('locald init') })
  expect(String(error)).toContain(`"${join(home, 'a/b')}" and the directories above it, up to "${join(home, 'a')}"`)

  await rm(join(home, 'a/.git'), { recursive: true })
  await expect(discover({ dir: join(home, 'a/b'), home: join(home, 'a') })).rejects.toMatchObject({
    code: 'config_not_found',
  })
})

test('discover() passes over a package.json without a dev script, or that is broken', async () => {
  await write('a/Procfile', 'a/b/package.json', 'a/b/c/package.json')
  await writeFile(join(home, 'a/b/package.json'), '{"scripts": {"start": "x"}}')
  await writeFile(join(home, 'a/b/c/package.json'), '{')
  expect(await found('a/b/c')).toBe('procfile a/Procfile')
})

test.each([
  ['other.toml', 'toml'],
  ['Procfile.ci', 'procfile'],
  ['processes.txt', 'procfile'],
  ['package.json', 'package.json'],
])('discover() takes %s for a %s when it is named', async (name, format) => {
  await write('a/locald.toml', `a/${name}`)
  expect(await found('a', name)).toBe(`${format} a/${name}`)
})

test('discover() knows a project by the real path of its directory, or of the file that was named', async () => {
  await write('a/locald.toml')
  await symlink(join(home, 'a'), join(home, 'link'))
  const root = join(home, 'a')
  expect(await discover({ dir: join(home, 'link'), home })).toEqual({
    file: join(root, 'locald.toml'),
    format: 'toml',
    root,
    id: idOf(root),
  })
  expect((await discover({ dir: join(home, 'link'), file: 'locald.toml', home })).id).toBe(
    idOf(join(root, 'locald.toml')),
  )
})

test.each([
  ['compose.yaml', undefined, 'type_unsupported'],
  ['docker-compose.yml', 'docker-compose.yml', 'type_unsupported'],
  ['tsconfig.json', 'tsconfig.json', 'usage'],
  ['x', 'missing.toml', 'config_not_found'],
  ['x', '.', 'config_not_found'],
])('discover() refuses %s named as %s', async (name, file, code) => {
  await write(`a/${name}`)
  await expect(found('a', file)).rejects.toMatchObject({ code })
})

test('discover() says when the directory does not exist', async () => {
  await expect(found('gone')).rejects.toMatchObject({
    code: 'config_not_found',
    message: expect.stringContaining('gone'),
  })
})

test.skipIf(process.getuid?.() !== 0)(
  "discover() refuses another user's file or directory, but not root's",
  async () => {
    await write('a/locald.toml')
    const other = 12_345
    await chown(join(home, 'a/locald.toml'), other, other)
    await expect(found('a')).rejects.toMatchObject({ code: 'config_refused' })
    await chown(join(home, 'a/locald.toml'), 0, 0)
    await chown(join(home, 'a'), other, other)
    await expect(found('a')).rejects.toMatchObject({ code: 'config_refused', hint: expect.stringContaining('chown') })
    // For that other user, root's file in an own directory is fine.
    expect(await discover({ dir: join(home, 'a'), home, uid: other })).toMatchObject({ format: 'toml' })
  },
)

test('discover() that finds nothing names a package.json that is not JSON', async () => {
  await write('a/.git/', 'a/b/')
  await writeFile(join(home, 'a/package.json'), '{"scripts": {"dev": "vite",}}')
  await expect(discover({ dir: join(home, 'a/b'), home })).rejects.toMatchObject({
    code: 'config_not_found',
    hint: expect.stringContaining(`"${join(home, 'a/package.json')}" was left out`),
  })
})
