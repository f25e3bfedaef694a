// What is going to be done to a store, as data: shown first, then done by ourselves or, as one script, by root.
import { chmod, mkdir, rm } from 'node:fs/promises'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { unreachable } from '../lib/unreachable.ts'
import { runProgram } from './programs.ts'

/** All paths are absolute. */
export type Change =
  | { readonly type: 'write'; readonly path: string; readonly text: string }
  | { readonly type: 'remove'; readonly path: string }
  /** With its parents, for its owner alone. */
  | { readonly type: 'directory'; readonly path: string }
  | { readonly type: 'run'; readonly argv: readonly string[]; readonly input?: string }

/** Resolves with null, or with why it failed. */
export async function makeChange(change: Change): Promise<string | null> {
  try {
    if (change.type === 'run') return await run(change.argv, change.input)
    if (change.type === 'remove') await rm(change.path, { force: true })
    else if (change.type === 'directory') await mkdir(change.path, { recursive: true, mode: 0o700 })
    else await writePublic(change.path, change.text)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function run(argv: readonly string[], input?: string): Promise<string | null> {
  const { ok, reason } = await runProgram(argv, input)
  return ok ? null : `${argv.slice(0, 2).join(' ')} failed: ${reason}`
}

/** Certificates are for everybody to read, whatever the umask. */
async function writePublic(path: string, text: string): Promise<void> {
  await writeFileAtomic(path, text, 0o644)
  await chmod(path, 0o644)
}

/** One line for people, such as `write /usr/local/share/ca-certificates/locald-1a2b.crt`. */
export function describeChange(change: Change): string {
  switch (change.type) {
    case 'write':
      return `write ${change.path}`
    case 'remove':
      return `remove ${change.path}`
    case 'directory':
      return `make the directory ${change.path}`
    case 'run':
      return `run ${change.argv.map(quoted).join(' ')}${change.input === undefined ? '' : ' < CA'}`
    default:
      return unreachable(change)
  }
}

/** All of them for `/bin/sh`; it ends at the first that fails. May be run again after it broke off. */
export function scriptOf(changes: readonly Change[]): string {
  return ['set -eu', 'umask 022', ...changes.map(shellLine)].join('\n')
}

function shellLine(change: Change): string {
  switch (change.type) {
    case 'write': {
      const part = `${change.path}.part`
      return `printf %s ${quoted(change.text)} > ${quoted(part)}\nmv -f ${quoted(part)} ${quoted(change.path)}`
    }
    case 'remove':
      return `rm -f ${quoted(change.path)}`
    case 'directory':
      return `mkdir -p ${quoted(change.path)}`
    case 'run': {
      const command = change.argv.map(quoted).join(' ')
      return change.input === undefined ? `${command} </dev/null` : `printf %s ${quoted(change.input)} | ${command}`
    }
    default:
      return unreachable(change)
  }
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/u.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
