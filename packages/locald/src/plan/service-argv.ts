// How a service's command is started so that it can also end well. A shell that stays between keeper and program dies of
// the stop signal while the program still tidies up: its exit is then not the program's, and as it leads the terminal's
// session the kernel hangs up on the program. See docs/decisions/0014.
import type { Command, ServiceConfig } from '../config/config.ts'

/** Words that only the shell itself understands; all others are programs. */
const shellWords = new Set(
  `! . : [ { } alias bg break case cd command continue do done elif else esac eval exec exit export fg fi for function
  getopts hash if in jobs local read readonly return select set shift source test then time times trap type ulimit umask
  unalias unset until wait while`.split(/\s+/),
)

/**
 * The program and its arguments. A shell replaces itself by a command that is one program; around anything else it waits
 * for what it runs, and exits as that did.
 */
export function serviceArgv(
  command: Command,
  { stopSignal, stopScope }: Pick<ServiceConfig, 'stopSignal' | 'stopScope'>,
): readonly string[] {
  if (typeof command !== 'string') return command
  return ['/bin/sh', '-c', isOneProgram(command) ? `exec ${command}` : waiting(command, stopSignal, stopScope)]
}

function waiting(command: string, signal: NodeJS.Signals, scope: ServiceConfig['stopScope']): string {
  // Signalled alone, it must not wait for what was not told to end. SIGKILL and SIGSTOP cannot be trapped.
  if (scope === 'leader' || signal === 'SIGKILL' || signal === 'SIGSTOP') return command
  // A trap runs when the program in the foreground has ended; programs begin without it. Same line: the shell counts them.
  return `trap 'exit $?' ${signal.slice('SIG'.length)}; ${command}`
}

/** Sure of itself only where a shell would not do more than run one program. */
function isOneProgram(command: string): boolean {
  const [first = ''] = command.trim().split(/\s+/)
  if (!/^[\w./+-]+$/.test(first) || shellWords.has(first)) return false
  const quoted = /'[^']*'|"(?:[^"\\`$]|\\[^]|\$(?!\())*"/g
  const bare = command.trim().replaceAll(quoted, '').replaceAll(/[<>]&/g, '>')
  return !/["'`;&|()\n#]/.test(bare)
}
