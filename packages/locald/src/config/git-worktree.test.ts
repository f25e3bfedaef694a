import { execFileSync } from 'node:child_process'
import { mkdtempSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { gitWorktreeOf, worktreeLabel } from './git-worktree.ts'

let dir = ''
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'locald-worktree-')))
})
afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

const identity = ['-c', 'user.name=t', '-c', 'user.email=t@t.test', '-c', 'protocol.file.allow=always']

/** `at`: a directory below the test's. */
function git(at: string, ...args: readonly string[]): string {
  const env = { PATH: process.env['PATH'], HOME: dir, GIT_CONFIG_NOSYSTEM: '1' }
  return execFileSync('git', [...identity, ...args], { cwd: join(dir, at), env, encoding: 'utf8', stdio: 'pipe' })
}

function repository(name = 'shop'): void {
  mkdirSync(join(dir, name))
  git(name, 'init', '-q', '-b', 'main')
  git(name, 'commit', '-q', '--allow-empty', '-m', 'one')
}

const look = async (at: string, below = ''): ReturnType<typeof gitWorktreeOf> =>
  await gitWorktreeOf(join(dir, at), join(dir, at, below))

test('gitWorktreeOf() knows a linked worktree by its branch, wherever it is', async () => {
  repository()
  git('shop', 'worktree', 'add', '-q', '../elsewhere', '-b', 'feat/auth')
  const label = 'feat-auth-cc945a'
  const known = { label, longLabel: label, branch: 'feat/auth', repository: 'shop' }
  expect(await look('elsewhere')).toEqual({ ...known, below: '' })
  expect(await look('elsewhere', 'apps/web')).toEqual({ ...known, below: 'apps/web' })
})

test('gitWorktreeOf() has nothing to say of a main checkout, and of what is in no repository', async () => {
  repository()
  mkdirSync(join(dir, 'plain'))
  git('shop', 'checkout', '-q', '-b', 'fix-ui')
  expect(await look('shop')).toBeUndefined()
  expect(await look('plain')).toBeUndefined()
})

test('gitWorktreeOf() does not take a submodule for a worktree, nor a repository whose git directory is elsewhere', async () => {
  repository('lib')
  repository()
  git('shop', 'submodule', '--quiet', 'add', '../lib', 'lib')
  git('.', 'init', '-q', '--separate-git-dir', join(dir, 'apart.git'), 'apart')
  expect(await look('shop/lib')).toBeUndefined()
  expect(await look('apart')).toBeUndefined()
})

test('gitWorktreeOf() knows a worktree of a submodule, and takes none in a worktree for one', async () => {
  repository('lib')
  repository()
  git('shop', 'submodule', '--quiet', 'add', '../lib', 'lib')
  git('shop', 'commit', '-q', '-m', 'two')
  git('shop/lib', 'worktree', 'add', '-q', '../../lib-fix', '-b', 'fix')
  git('shop', 'worktree', 'add', '-q', '../shop-fix', '-b', 'fix')
  git('shop-fix', 'submodule', '--quiet', 'update', '--init')
  expect(await look('lib-fix')).toMatchObject({ label: 'fix', repository: 'lib' })
  expect(await look('shop-fix/lib')).toBeUndefined()
})

test('gitWorktreeOf() calls a detached worktree by its directory', async () => {
  repository()
  git('shop', 'worktree', 'add', '-q', '--detach', '../Review_42')
  expect(await look('Review_42')).toMatchObject({
    label: 'review-42-6c7f3d',
    branch: null,
    repository: 'shop',
    below: '',
  })
})

test('gitWorktreeOf() keeps the branch during a rebase and a bisection', async () => {
  repository()
  git('shop', 'worktree', 'add', '-q', '../fix', '-b', 'fix/ui')
  const commit = (at: string, text: string): void => {
    writeFileSync(join(dir, at, 'file'), text)
    git(at, 'add', 'file')
    git(at, 'commit', '-q', '-m', text)
  }
  commit('fix', 'ours')
  git('fix', 'bisect', 'start', 'HEAD', 'HEAD~1')
  git('fix', 'checkout', '-q', '--detach')
  expect(await look('fix')).toMatchObject({ branch: 'fix/ui' })
  git('fix', 'bisect', 'reset')
  commit('shop', 'theirs')
  for (const backend of ['--merge', '--apply']) {
    expect(() => git('fix', 'rebase', '-q', backend, 'main')).toThrow(/Command failed/)
    expect(await look('fix')).toMatchObject({ label: 'fix-ui-af66b6', branch: 'fix/ui' })
    git('fix', 'rebase', '--abort')
  }
})

test('gitWorktreeOf() names a bare repository by its directory, or by the one that hides it', async () => {
  repository('origin')
  git('.', 'clone', '-q', '--bare', 'origin', 'store.git')
  git('store.git', 'worktree', 'add', '-q', '../trunk', 'main')
  mkdirSync(join(dir, 'market'))
  git('.', 'clone', '-q', '--bare', 'origin', 'market/.bare')
  git('market/.bare', 'worktree', 'add', '-q', '../main', 'main')
  expect(await look('trunk')).toMatchObject({ label: 'main', repository: 'store' })
  expect(await look('market/main')).toMatchObject({ label: 'main', repository: 'market' })
})

test('gitWorktreeOf() follows relative paths, and survives git files that say nothing', async () => {
  repository()
  git('shop', 'worktree', 'add', '-q', '../fix', '-b', 'fix')
  writeFileSync(join(dir, 'fix/.git'), 'gitdir: ../shop/.git/worktrees/fix\n')
  expect(await look('fix')).toMatchObject({ label: 'fix', repository: 'shop' })
  for (const text of ['', 'gitdir: ', 'gitdir: /nowhere\n', '\0\0']) {
    writeFileSync(join(dir, 'fix/.git'), text)
    expect(await look('fix')).toBeUndefined()
  }
})

test('worktreeLabel() takes a branch as it is, and gives every other one a hash: no two have one label', () => {
  const branches = ['fix-ui', 'feat-auth', 'feat/auth', 'fix/auth', 'Feat-auth', 'feat--auth', '-x-']
  expect(branches.map(worktreeLabel)).toEqual([
    'fix-ui',
    'feat-auth',
    'feat-auth-cc945a',
    'fix-auth-22c6c0',
    expect.stringMatching(/^feat-auth-[0-9a-f]{6}$/),
    expect.stringMatching(/^feat-auth-[0-9a-f]{6}$/),
    'x-c6cf95',
  ])
  expect(new Set(branches.map(worktreeLabel)).size).toBe(branches.length)
})

test('gitWorktreeOf() has a longer label for a branch whose name is taken', async () => {
  repository()
  git('shop', 'worktree', 'add', '-q', '../api', '-b', 'api')
  expect(await look('api')).toMatchObject({ label: 'api', longLabel: 'api-14c252' })
})

test('worktreeLabel() cuts what is too long, and still tells one from another', () => {
  const [one = '', two = ''] = ['1', '2'].map((end) => worktreeLabel(`feat/${'long-'.repeat(20)}${end}`))
  expect(one).toMatch(/^feat-long-.*[a-z]-[0-9a-f]{6}$/)
  expect(one.length).toBeLessThanOrEqual(63)
  expect(one).not.toBe(two)
})

test('worktreeLabel() makes a label of what has no letter of a host name', () => {
  expect(worktreeLabel('日本')).toMatch(/^[0-9a-f]{6}$/)
  expect(worktreeLabel('日本')).not.toBe(worktreeLabel('中国'))
})
