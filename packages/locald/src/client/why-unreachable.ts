// Why nobody answers: what the keeper noted when it gave the daemon up, or the ends of the logs.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Installation } from '../lib/installation.ts'
import { lastLogLines } from './last-log-lines.ts'

/** The error's hint: lines of logs, and what to do. */
export async function whyUnreachable(installation: Installation): Promise<string> {
  const lines = await crashLoopLines(installation)
  if (lines !== null) {
    const quoted = lines.map((line) => `  ${line}`).join('\n')
    return `The daemon ended too often and is not started again; services run on. Its last lines:\n${quoted}\nTry again with "locald server start", or with "locald server start --fresh" to set its journal aside`
  }
  const logs = await lastLogLines([installation.keeperLog, installation.daemonLog])
  return logs === '' ? `Its logs are in "${installation.state}"` : `The last lines of its logs:\n${logs}`
}

/** The daemon's last lines, when the keeper does not start it any more; else null. */
export async function crashLoopLines({ state }: Installation): Promise<readonly string[] | null> {
  let text: string
  try {
    text = await readFile(join(state, 'crash-loop.json'), 'utf8')
  } catch {
    return null // There is no such note, which is the rule.
  }
  try {
    const note: unknown = JSON.parse(text)
    const lines = typeof note === 'object' && note !== null && 'lastLines' in note ? note.lastLines : []
    return Array.isArray(lines) ? lines.map(String) : []
  } catch {
    return [] // Half written; that it is there says enough.
  }
}
