// Calls this program again as root, with absolute paths: the node of a version manager is not on root's path.
import { realpathSync } from 'node:fs'
import { shellText } from '../lib/shell-text.ts'
import { runBySudo, sudoCommand } from '../lib/sudo.ts'
import { failed } from './replace-file.ts'

export interface RootOptions {
  /** Somebody is there to type a password. */
  readonly isInteractive: boolean
  /** The program of the command line. */
  readonly script: string
}

/** The command line that does it, for people; where there is no sudo, what root would have to type. */
export async function commandForRoot(args: readonly string[], options: RootOptions): Promise<readonly string[]> {
  const own = ownCommand(args, options)
  return (await sudoCommand(own, options)) ?? own
}

/** Runs it on this terminal. Throws `setup_failed` when there is no sudo, or it did not end well. */
export async function runAsRoot(args: readonly string[], options: RootOptions): Promise<void> {
  const own = ownCommand(args, options)
  const reason = await runBySudo(own, options)
  if (reason === null) return
  throw failed(`The step that needs root was not done: ${reason}`, undefined, `As root, run: ${shellText(own)}`)
}

function ownCommand(args: readonly string[], { script }: RootOptions): readonly string[] {
  return [process.execPath, realpathSync(script), ...args]
}
