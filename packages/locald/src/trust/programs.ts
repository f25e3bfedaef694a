// Finds and runs the system's own programs.
import { execFile } from 'node:child_process'
import { delimiter, isAbsolute, join } from 'node:path'
import { firstExecutable, systemDirectories } from '../lib/system-program.ts'
import type { TrustPlace } from './trust-place.ts'

/** Where distributions hide programs of NSS that are not for everyday use. */
const hiddenDirectories = [
  'usr/lib64/nss/unsupported-tools',
  'usr/lib/nss/unsupported-tools',
  'usr/local/bin',
  'opt/homebrew/bin',
]
const timeoutMs = 20_000

/** An absolute path, from the user's PATH first; null when there is none. */
export async function userProgram(
  name: string,
  { env, root }: Pick<TrustPlace, 'env' | 'root'>,
): Promise<string | null> {
  const path = (env['PATH'] ?? '').split(delimiter).filter((directory) => isAbsolute(directory))
  const others = [...systemDirectories, ...hiddenDirectories].map((directory) => join(root, directory))
  return await firstExecutable([...path, ...others].map((directory) => join(directory, name)))
}

export interface ProgramResult {
  readonly ok: boolean
  readonly stdout: string
  /** The last line that it wrote to stderr, or how it ended: for people. */
  readonly reason: string
}

/** Never waits for somebody to type: stdin is `input`, or empty. Ends it after 20 s. */
export function runProgram(argv: readonly string[], input = ''): Promise<ProgramResult> {
  const [program = '', ...args] = argv
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: timeoutMs, encoding: 'utf8' }, (error, stdout, stderr) => {
      const said = stderr.trim().split('\n').at(-1) ?? ''
      resolve({ ok: error === null, stdout, reason: said === '' ? (error?.message ?? '') : said })
    })
    child.stdin?.on('error', () => undefined) // it may end without having read it
    child.stdin?.end(input)
  })
}
