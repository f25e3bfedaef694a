// Builds the package before tests that run the built command, unless the last build is newer than every source.
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packageDirectory = join(root, 'packages/locald')

export function setup(): void {
  const built = ['cli', 'daemon', 'keeper', 'proxy'].map((name) =>
    modifiedAt(join(packageDirectory, 'dist', `${name}.cjs`)),
  )
  const sources = ['packages/locald', 'packages/protocol'].map((name) => newestBelow(join(root, name)))
  if (Math.min(...built) > Math.max(...sources)) return
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`Cannot build packages/locald:\n${stdout}${stderr}`)
}

function newestBelow(directory: string): number {
  let newest = 0
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name === 'dist' || entry.name === 'node_modules' || entry.name.endsWith('.test.ts')) continue
    const path = join(directory, entry.name)
    newest = Math.max(newest, entry.isDirectory() ? newestBelow(path) : modifiedAt(path))
  }
  return newest
}

function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
