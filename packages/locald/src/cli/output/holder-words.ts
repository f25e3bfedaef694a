import type { PortHolder } from '@locald/protocol'

/** `pid 123 (nginx)`, or the user where the process is out of sight. */
export function holderWords({ pid, command, user }: PortHolder): string {
  if (pid === null) return `user ${user ?? '?'}`
  return `pid ${pid}${command === null ? '' : ` (${command})`}`
}
