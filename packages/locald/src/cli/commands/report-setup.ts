// What came of `locald admin setup`: found out by trying it, not taken from what was written.
import { exitCodes, LocaldError } from '@locald/protocol'
import type { ServerStatus } from '@locald/protocol'
import { apiSocketOf } from '../../admin/caller.ts'
import type { Caller } from '../../admin/caller.ts'
import { answersDns, findsNames } from '../../admin/dns-trial.ts'
import { portStart } from '../../admin/low-ports.ts'
import { tryPort } from '../../admin/port-trial.ts'
import type { DnsSetup } from '../../admin/resolved-drop-in.ts'
import type { SystemChange } from '../../admin/system-change.ts'
import { systemPathsBelow } from '../../admin/system-paths.ts'
import { createApiClient } from '../../client/api-client.ts'
import type { CommandContext } from '../command.ts'
import { askIfThere } from '../without-daemon.ts'

export const lowPorts = [80, 443]

export interface Outcome {
  readonly changes: readonly SystemChange[]
  readonly dns: DnsSetup | null
}

/** Call with the rights of the caller: what root may do says nothing. Throws `setup_failed` when a port stays closed. */
export async function reportSetup(context: CommandContext, caller: Caller, { changes, dns }: Outcome): Promise<number> {
  const { output } = context
  const proxy = await proxyPortsOf(context, caller)
  const isGood = await reportPorts(context, proxy?.ports ?? null)
  const isAnswered = dns === null || (await reportDns(context, dns, proxy !== null))
  if (!isGood) throw portsStillClosed()
  if (changes.length === 0) output.note('Nothing had to be changed')
  else if (proxy !== null && isAnswered && proxy.ports?.https !== 443)
    output.note('A running locald uses them after: locald server restart')
  return exitCodes.ok
}

interface RunningProxy {
  readonly ports: ServerStatus['proxy']
}

/** Null when no daemon of the caller runs. */
async function proxyPortsOf(context: CommandContext, caller: Caller): Promise<RunningProxy | null> {
  const socket = await apiSocketOf(caller)
  if (socket === null) return null
  const client = createApiClient({ socket })
  const answer = await askIfThere({ ...context, client: () => client }, async () => await client.server())
  return answer === null ? null : { ports: answer.value.proxy }
}

/** Whether the system lets the caller have them. */
async function reportPorts({ output }: CommandContext, proxy: ServerStatus['proxy']): Promise<boolean> {
  const { style } = output.side
  const trials = await Promise.all(lowPorts.map(tryPort))
  for (const { port, result, holder } of trials) {
    const isOurs = proxy !== null && (proxy.http === port || proxy.https === port)
    const isOpen = result === 'free' || isOurs
    const words = isOurs
      ? 'locald listens there'
      : result === 'free'
        ? 'you may open it'
        : result === 'held'
          ? `taken by ${holder ?? 'somebody else'}; locald uses another one for as long`
          : 'the system does not let you open it'
    output.note(`${isOpen ? style.green('✓') : style.red('✗')} Port ${port}: ${words}`)
  }
  return trials.every(({ result }) => result !== 'refused' && result !== 'missing')
}

/** Resolves with whether the daemon answers. */
async function reportDns({ output }: CommandContext, dns: DnsSetup, isDaemonUp: boolean): Promise<boolean> {
  const { style } = output.side
  const words = `Names below ${dns.suffixes.join(', ')} are asked of 127.0.0.1:${dns.port}`
  const isAnswered = await answersDns(dns)
  const isFound = isAnswered && (await findsNames(dns))
  const fault = isAnswered ? 'not found by the system' : 'not answered yet'
  const advice = isDaemonUp ? `${fault}, "locald doctor" tells why` : 'answered after: locald server start'
  output.note(isFound ? `${style.green('✓')} ${words}` : `${style.yellow('•')} ${words}; ${advice}`)
  return isAnswered
}

function portsStillClosed(): LocaldError {
  const start = portStart(systemPathsBelow())
  return new LocaldError('setup_failed', 'Ports 80 and 443 still cannot be opened', {
    hint:
      start === null
        ? 'This system has no such setting'
        : `The system lets users open ports from ${start} up; a security module or a container may refuse more`,
  })
}
