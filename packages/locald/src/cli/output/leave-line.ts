import type { Output } from './output.ts'

/** After Ctrl-C: the terminal wrote `^C`, and what comes next, a prompt, should not stand behind it. */
export function leaveLine({ side }: Output, interrupted: AbortSignal): void {
  if (interrupted.aborted && side.isTerminal) side.write('\n')
}
