// Which checkout of a git repository a directory belongs to, read from git's own files: no git is started.
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { hostLabel, labelLimit } from '../lib/host-name.ts'
import { readLimited } from '../lib/read-limited.ts'

/** A checkout made by `git worktree add`. */
export interface GitWorktree {
  /** What it is called in host names: its branch, else (nothing is checked out by name) its directory. */
  readonly label: string
  /** Instead, where `label` makes a name that the project itself has. */
  readonly longLabel: string
  /** Null when no branch is checked out. */
  readonly branch: string | null
  /** Name of the main checkout's directory, or of the bare repository. */
  readonly repository: string
  /** From the top of the worktree to the directory that was asked about; empty at the top. */
  readonly below: string
}

/** Every file that is read holds one line. */
const mostBytes = 64 * 1024

/**
 * Undefined for a main checkout, a submodule, and what is in no repository. `top` is the directory that holds `.git`; of
 * `directory` only where it lies below that counts. https://git-scm.com/docs/gitrepository-layout
 */
export async function gitWorktreeOf(top: string, directory: string): Promise<GitWorktree | undefined> {
  const own = pathIn(await lineOf(join(top, '.git')), top)
  // The private directory of a linked worktree names the common one; that of a submodule does not.
  const common = own === undefined ? undefined : await lineOf(join(own, 'commondir'))
  if (own === undefined || common === undefined) return undefined
  const branch = await branchOf(own)
  const name = branch ?? basename(own)
  return {
    label: worktreeLabel(name),
    longLabel: hashedLabel(name),
    branch,
    repository: repositoryName(resolve(own, common)),
    below: relative(top, directory),
  }
}

/** `fix-ui` as it is. What is no label by itself has a hash: `feat/auth` must not be called what the branch `feat-auth` is. */
export function worktreeLabel(name: string): string {
  return hostLabel(name) === name && name.length <= labelLimit ? name : hashedLabel(name)
}

/** `fix-ui-3fa9c1`: with a hash of the whole name, whatever is left of that itself. */
function hashedLabel(name: string): string {
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 6)
  const rest = hostLabel(name)
    .slice(0, labelLimit - hash.length - 1)
    .replace(/-+$/, '')
  return rest === '' ? hash : `${rest}-${hash}`
}

/** `gitdir: PATH`, absolute or from where it stands. */
function pathIn(line: string | undefined, from: string): string | undefined {
  const path = /^gitdir: (.+)$/.exec(line ?? '')?.[1]
  return path === undefined ? undefined : resolve(from, path)
}

/** That of HEAD, or the one that a rebase or a bisection has left for the time being. */
async function branchOf(gitDirectory: string): Promise<string | null> {
  const head = /^ref: (.+)$/.exec((await lineOf(join(gitDirectory, 'HEAD'))) ?? '')?.[1]
  const names = [
    async () => head,
    async () => await lineOf(join(gitDirectory, 'rebase-merge', 'head-name')),
    async () => await lineOf(join(gitDirectory, 'rebase-apply', 'head-name')),
    async () => await bisectedBranch(gitDirectory),
  ]
  for (const name of names) {
    const branch = /^refs\/heads\/(.+)$/.exec((await name()) ?? '')?.[1]
    // Where references are kept in tables this stands for all of them, and only git can tell.
    if (branch !== undefined && branch !== '.invalid') return branch
  }
  return null
}

async function bisectedBranch(gitDirectory: string): Promise<string | undefined> {
  const start = await lineOf(join(gitDirectory, 'BISECT_START'))
  return start === undefined || /^[0-9a-f]{40,64}$/.test(start) ? undefined : `refs/heads/${start}`
}

/** `/src/shop/.git`, `/src/shop.git` and `/src/shop/.bare` are all of `shop`. */
function repositoryName(common: string): string {
  const name = basename(common)
  if (name.startsWith('.')) return basename(dirname(common))
  return name.endsWith('.git') ? name.slice(0, -'.git'.length) : name
}

/** The first line of a file; undefined when there is none to be read. */
async function lineOf(file: string): Promise<string | undefined> {
  try {
    if (!(await stat(file)).isFile()) return undefined
    return (await readLimited(file, mostBytes)).split('\n', 1)[0]?.trimEnd()
  } catch {
    return undefined // whatever cannot be read names nothing
  }
}
