// The one way to the rights of root: the system's own `sudo`, for a command that was shown before.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { systemProgram } from './system-program.ts'

export interface SudoOptions {
  /** Whether somebody can be asked for a password. If not, sudo has to do without or fails at once. */
  readonly isInteractive: boolean
  /** Where sudo is looked for; default `/`. */
  readonly root?: string
}

/** The command line that runs a command as root; null when there is no sudo. */
export async function sudoCommand(
  command: readonly string[],
  { isInteractive, root }: SudoOptions,
): Promise<readonly string[] | null> {
  const sudo = await systemProgram('sudo', root)
  return sudo === null ? null : [sudo, ...(isInteractive ? [] : ['-n']), '--', ...command]
}

/** Resolves with null, or why it failed. The command's words go to our stderr: stdout is for answers. */
export async function runBySudo(command: readonly string[], options: SudoOptions): Promise<string | null> {
  const whole = await sudoCommand(command, options)
  if (whole === null) return 'there is no sudo'
  const [program = '', ...args] = whole
  const child = spawn(program, args, { stdio: [options.isInteractive ? 'inherit' : 'ignore', 2, 2] })
  try {
    const [code, signal]: unknown[] = await once(child, 'close')
    return code === 0 ? null : `sudo exited with ${String(code ?? signal)}`
  } catch (error) {
    return `sudo cannot be run: ${error instanceof Error ? error.message : String(error)}`
  }
}
