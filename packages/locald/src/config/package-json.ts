// Reads a package.json: its `dev` script, and what else tells how to run it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Diagnostic } from '@locald/protocol'
import { devScriptOf } from './discover.ts'
import { sourceText } from './source-text.ts'
import type { Span } from './source-text.ts'

export interface ParsedPackage {
  /** Without its scope; absent when the file has none. */
  readonly name?: string
  /** Absent when there is no `dev` script. */
  readonly command?: string
  /** Of the `dev` script. */
  readonly span: Span
  readonly diagnostics: readonly Diagnostic[]
}

const lockFiles: readonly (readonly [string, string])[] = [
  ['pnpm-lock.yaml', 'pnpm run dev'],
  ['yarn.lock', 'yarn run dev'],
  ['bun.lock', 'bun run dev'],
  ['bun.lockb', 'bun run dev'],
  ['package-lock.json', 'npm run dev'],
  ['npm-shrinkwrap.json', 'npm run dev'],
]

/**
 * `directories` are the package's own and those above it, nearest first: a workspace keeps its lock file at the top. The
 * field `packageManager` outranks lock files.
 */
export function parsePackage(text: string, file: string, directories: readonly string[]): ParsedPackage {
  const source = sourceText(file, text)
  const span = devSpan(text)
  const fail = (at: Span, code: string, message: string, hint?: string): ParsedPackage => ({
    span,
    diagnostics: [source.diagnose(at, { code, message, hint })],
  })
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const position = /at position (\d+)/.exec(reason)?.[1]
    const offset = position === undefined ? text.length : Number(position)
    return fail({ start: offset, end: offset + 1 }, 'syntax', `This is not valid JSON: ${reason.split('\n')[0] ?? ''}`)
  }
  const object = typeof content === 'object' && content !== null ? content : {}
  if (devScriptOf(object) === undefined) {
    return fail(
      { start: 0, end: 1 },
      'missing',
      'This package has no "dev" script',
      'Add one, or describe the services in a locald.toml (locald init)',
    )
  }
  const name = 'name' in object && typeof object.name === 'string' ? object.name.replace(/^@[^/]*\//, '') : ''
  const manager =
    'packageManager' in object ? /^(npm|pnpm|yarn|bun)@/.exec(String(object.packageManager))?.[1] : undefined
  const command = manager === undefined ? commandByLockFile(directories) : `${manager} run dev`
  return { ...(name === '' ? {} : { name }), command, span, diagnostics: [] }
}

function commandByLockFile(directories: readonly string[]): string {
  for (const directory of directories) {
    for (const [name, command] of lockFiles) if (existsSync(join(directory, name))) return command
  }
  return 'npm run dev'
}

/** Good enough to point at: the first `"dev"` after `"scripts"`. */
function devSpan(text: string): Span {
  const scripts = text.indexOf('"scripts"')
  const start = scripts < 0 ? -1 : text.indexOf('"dev"', scripts)
  return start < 0 ? { start: 0, end: 1 } : { start, end: start + '"dev"'.length }
}
