// `locald admin setup`: the one step that needs root. It is shown, then made, then tried.
import { dirname, join } from 'node:path'
import { exitCodes, LocaldError } from '@locald/protocol'
import { asCaller } from '../../admin/as-caller.ts'
import { callerOf } from '../../admin/caller.ts'
import type { Caller } from '../../admin/caller.ts'
import { defaultDnsPort, readDnsSetup, writeDnsSetup } from '../../admin/dns-setup.ts'
import { judgeSuffix } from '../../admin/dns-suffix.ts'
import { closePortsChange, openPortsChange } from '../../admin/low-ports.ts'
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
import { tellNamesChanged } from '../tell-daemon.ts'
import { lowPorts, reportSetup } from './report-setup.ts'

export async function adminSetup(context: CommandContext, call: Invocation): Promise<number> {
  refuseOtherSystems()
  if (call.flag('apply')) return await apply(context, call)
  const caller = await callerOf(context.env, process.getuid?.() ?? 0)
  const dns = await asCaller(caller, async () => await dnsAskedFor(context, call, caller))
  const changes = await changesFor(context, call, dns)
  const args = privilegedArgs(call, dns)
  noteChanges(context, changes)
  if (call.flag('dry-run')) return await reportDryRun(context, changes, args)
  if (changes.length > 0 && !(await isAgreed(context, call))) {
    context.output.note('Nothing was changed')
    return exitCodes.failed
  }
  if (call.flag('undo')) {
    await makeChanges(context, changes, args)
    await keepDns(caller, null)
    await tellNamesChanged(context)
    return reportUndone(context, changes)
  }
  // The other way round the system would be led to a server that no daemon knows of, should this fail.
  await keepDns(caller, dns)
  await makeChanges(context, changes, args)
  await tellNamesChanged(context)
  return await asCaller(caller, async () => await reportSetup(context, caller, { changes, dns }))
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

async function changesFor(
  context: CommandContext,
  call: Invocation,
  dns: DnsSetup | null,
): Promise<readonly SystemChange[]> {
  return call.flag('undo') ? undoChanges() : await wantedChanges(dns, isForSomebodyElse(context, call))
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

/** What `--dns` asks for, else what the caller has asked for before; without a caller nobody has. */
async function dnsAskedFor(
  { output }: CommandContext,
  call: Invocation,
  caller: Caller | null,
): Promise<DnsSetup | null> {
  const before = caller === null ? null : await readDnsSetup(dnsFileOf(caller))
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

/** The same, wherever the caller's sockets are. */
function dnsFileOf({ installations }: Caller): string {
  return installations[0].dnsSetup
}

async function keepDns(caller: Caller, dns: DnsSetup | null): Promise<void> {
  await asCaller(caller, async () => await writeDnsSetup(dnsFileOf(caller), dns))
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

async function apply(context: CommandContext, call: Invocation): Promise<number> {
  if (!isRoot()) {
    throw new LocaldError('usage', 'Cannot change the system: --apply is for root', {
      hint: 'Leave it out: locald admin setup',
    })
  }
  for (const change of await changesFor(context, call, await dnsAskedFor(context, call, null))) {
    await makeChange(change)
    context.output.note(`Done: ${change.title}`)
  }
  return exitCodes.ok
}

async function isAgreed({ output, isInteractive }: CommandContext, call: Invocation): Promise<boolean> {
  if (call.flag('yes') || !isInteractive() || !output.side.isTerminal) return true
  const { confirm } = await import('@clack/prompts')
  return (await confirm({ message: 'Make these changes?', output: process.stderr })) === true
}

function noteChanges({ output: { note, side } }: CommandContext, changes: readonly SystemChange[]): void {
  if (changes.length > 0) note(renderChanges(changes, side.style, side.width()).join('\n'))
}

async function makeChanges(
  context: CommandContext,
  changes: readonly SystemChange[],
  args: readonly string[],
): Promise<void> {
  if (changes.length === 0) return
  if (isRoot()) for (const change of changes) await makeChange(change)
  else await runAsRoot(args, rootOptionsOf(context))
}

async function reportDryRun(
  context: CommandContext,
  changes: readonly SystemChange[],
  args: readonly string[],
): Promise<number> {
  const { output } = context
  if (changes.length === 0) output.note('Nothing has to be changed')
  else {
    output.note('')
    if (!isRoot()) output.note(`It would run: ${shellText(await commandForRoot(args, rootOptionsOf(context)))}`)
    output.note('Nothing was changed')
  }
  return exitCodes.ok
}

function reportUndone({ output }: CommandContext, changes: readonly SystemChange[]): number {
  output.note(
    changes.length === 0
      ? 'There is nothing to undo'
      : 'Undone. Ports that locald has open stay so until it ends: locald server stop',
  )
  return exitCodes.ok
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}
