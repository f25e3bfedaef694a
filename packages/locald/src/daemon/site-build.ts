// What has to be so before the files of a site can be served.
import { stat } from 'node:fs/promises'
import type { Command } from '../config/config.ts'
import { shellText } from '../lib/shell-text.ts'

/** Why they cannot be: a sentence; null: they can. */
export async function missingDirectory(path: string): Promise<string | null> {
  const facts = await stat(path).catch(() => null)
  if (facts === null) return `its directory "${path}" does not exist: create it, or add build = "…", which makes it`
  return facts.isDirectory() ? null : `"${path}" is not a directory`
}

/** Builds it, and fails unless the directory is there afterwards. */
export function siteArgv(build: Command, path: string): readonly string[] {
  const script = '(eval "$1") || exit; [ -d "$2" ] || { echo "There is no directory $2 after the build" >&2; exit 1; }'
  return ['/bin/sh', '-c', script, 'sh', typeof build === 'string' ? build : shellText(build), path]
}
