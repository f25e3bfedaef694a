// `locald admin setup`: the one step that needs root. It is shown, then made, then tried.
import { dirname, join } from 'node:path'
import { exitCodes, LocaldError } from '@locald/protocol'
import { defaultDnsPort, readDnsSetup, writeDnsSetup } from '../../admin/dns-setup.ts'
import { judgeSuffix } from '../../admin/dns-suffix.ts'
import { closePortsChange, openPortsChange, portStart } from '../../admin/low-ports.ts'
import { tryPort } from '../../admin/port-trial.ts'
import { routeSuffixesChange, unrouteSuffixesChange } from '../../admin/resolved-drop-in.ts'
import type { DnsSetup } from '../../admin/resolved-drop-in.ts'
import { commandForRoot, runAsRoot } from '../../admin/sudo.ts'
import type { RootOptions } from '../../admin/sudo.ts'
import { makeChange } from '../../admin/system-change.ts'
import type { SystemChange } from '../../admin/system-change.ts'
import { systemPathsBelow } from '../../admin/system-paths.ts'
import { shellText } from '../../lib/shell-text.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { numberOption } from '../option-values.ts'
import { renderChanges } from '../output/system-changes.ts'
import { askIfThere } from '../without-daemon.ts'

const lowPorts = [80, 443]

export async function adminSetup(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  refuseOtherSystems()
  const isUndo = call.flag('undo')
  const dns = await dnsSetupOf(context, call)
  const changes = isUndo ? undoChanges() : await wantedChanges(dns, isForSomebodyElse(context, call))
  if (call.flag('apply')) return await apply(context, changes)

  const { side } = output
  if (changes.length > 0) output.note(renderChanges(changes, side.style, side.width()).join('\n'))
  const args = privilegedArgs(call, dns)
  const options = rootOptionsOf(context)
  if (call.flag('dry-run')) {
    noteDryRun(context, changes, isRoot() ? null : await commandForRoot(args, options))
    return exitCodes.ok
  }
  if (changes.length > 0) {
    if (!(await isAgreed(context, call))) {
      output.note('Nothing was changed')
      return exitCodes.failed
    }
    if (isRoot()) for (const change of changes) await makeChange(change)
    else await runAsRoot(args, options)
  }
  await writeDnsSetup(context.installation.dnsSetup, isUndo ? null : dns)
  return isUndo ? reportUndone(context, changes) : await reportPorts(context, { changes, dns })
}

/** Linux alone has the limit as one number. */
function refuseOtherSystems(): void {
  if (process.platform === 'linux') return
  throw new LocaldError(
    'setup_failed',
    `Cannot set up ports 80 and 443 on ${process.platform}: only Linux can do that so far`,
    {
      hint: 'Nothing is lost but the short address: locald serves the same names at ports 8443 and 8080',
    },
  )
}

/** Root by sudo: what root may open says nothing. */
function isForSomebodyElse({ env }: CommandContext, call: Invocation): boolean {
  return isRoot() && (call.flag('apply') || env['SUDO_UID'] !== undefined)
}

async function wantedChanges(dns: DnsSetup | null, isForOther: boolean): Promise<readonly SystemChange[]> {
  const paths = systemPathsBelow()
  const isOpen = (await Promise.all(lowPorts.map(tryPort))).every(({ result }) => result !== 'refused')
  const ports = isOpen && !isForOther ? null : openPortsChange(paths)
  const routes = dns === null ? null : routeSuffixesChange(paths, dns)
  return [ports, routes].filter((change) => change !== null)
}

function undoChanges(): readonly SystemChange[] {
  const paths = systemPathsBelow()
  return [closePortsChange(paths), unrouteSuffixesChange(paths)].filter((change) => change !== null)
}

/** What `--dns` asks for, else what was asked for before. */
async function dnsSetupOf({ installation, output }: CommandContext, call: Invocation): Promise<DnsSetup | null> {
  const before = await readDnsSetup(installation.dnsSetup)
  const given = call.list('dns').map((suffix) => suffix.toLowerCase().replace(/^\*?\./, ''))
  if (given.length === 0) return before
  for (const suffix of given) {
    const verdict = judgeSuffix(suffix)
    if (!verdict.isGood) throw new LocaldError('usage', verdict.reason, { hint: verdict.hint })
    if (verdict.warning !== null && !call.flag('apply'))
      output.note(`${output.side.style.yellow('warning:')} ${verdict.warning}`)
  }
  const port = numberOption(call, 'dns-port', 1) ?? before?.port ?? defaultDnsPort
  return { port, suffixes: [...new Set(given)].sort() }
}

/** What root is told: everything that the plan depends on. */
function privilegedArgs(call: Invocation, dns: DnsSetup | null): readonly string[] {
  if (call.flag('undo')) return ['admin', 'setup', '--apply', '--undo']
  const routed =
    dns === null ? [] : [...dns.suffixes.flatMap((suffix) => ['--dns', suffix]), '--dns-port', String(dns.port)]
  return ['admin', 'setup', '--apply', ...routed]
}

export function rootOptionsOf({ keeperProgram, isInteractive, output }: CommandContext): RootOptions {
  return {
    isInteractive: isInteractive() && output.side.isTerminal,
    script: join(dirname(keeperProgram), 'cli.cjs'),
  }
}

async function apply({ output }: CommandContext, changes: readonly SystemChange[]): Promise<number> {
  if (!isRoot()) {
    throw new LocaldError('usage', 'Cannot change the system: --apply is for root', {
      hint: 'Leave it out: locald admin setup',
    })
  }
  for (const change of changes) {
    await makeChange(change)
    output.note(`Done: ${change.title}`)
  }
  return exitCodes.ok
}

async function isAgreed({ output, isInteractive }: CommandContext, call: Invocation): Promise<boolean> {
  if (call.flag('yes') || !isInteractive() || !output.side.isTerminal) return true
  const { confirm } = await import('@clack/prompts')
  return (await confirm({ message: 'Make these changes?', output: process.stderr })) === true
}

function noteDryRun(
  { output }: CommandContext,
  changes: readonly SystemChange[],
  command: readonly string[] | null,
): void {
  if (changes.length === 0) return output.note('Nothing has to be changed')
  output.note('')
  if (command !== null) output.note(`It would run: ${shellText(command)}`)
  output.note('Nothing was changed')
}

function reportUndone({ output }: CommandContext, changes: readonly SystemChange[]): number {
  output.note(
    changes.length === 0
      ? 'There is nothing to undo'
      : 'Undone. Ports that locald has open stay so until it ends: locald server stop',
  )
  return exitCodes.ok
}

interface Outcome {
  readonly changes: readonly SystemChange[]
  readonly dns: DnsSetup | null
}

async function reportPorts(context: CommandContext, { changes, dns }: Outcome): Promise<number> {
  const { output } = context
  const { style } = output.side
  const proxy = (await askIfThere(context, async (client) => await client.server()))?.value.proxy ?? null
  const trials = await Promise.all(lowPorts.map(tryPort))
  let isGood = true
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
    isGood &&= result !== 'refused' && result !== 'missing'
  }
  if (dns !== null)
    output.note(`${style.green('✓')} Names below ${dns.suffixes.join(', ')} are asked of 127.0.0.1:${dns.port}`)
  if (!isGood) {
    const start = portStart(systemPathsBelow())
    throw new LocaldError('setup_failed', 'Ports 80 and 443 still cannot be opened', {
      hint:
        start === null
          ? 'This system has no such setting'
          : `The system lets users open ports from ${start} up; a security module or a container may refuse more`,
    })
  }
  const isListening = proxy?.https === 443
  if (changes.length === 0) output.note('Nothing had to be changed')
  else if (proxy !== null && !isListening) output.note('A running locald uses them after: locald server restart')
  return exitCodes.ok
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}
