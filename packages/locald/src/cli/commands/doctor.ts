// `locald doctor`: looks at everything that people trip over, says why it matters and what mends it. Starts and changes nothing.
import { exitCodes, LocaldError } from '@locald/protocol'
import type { DoctorReport, Finding, ServerStatus } from '@locald/protocol'
import { readDnsSetup } from '../../admin/dns-setup.ts'
import { examine } from '../../admin/doctor/examine.ts'
import type { Check } from '../../admin/doctor/examine.ts'
import {
  checkDns,
  checkHostsFile,
  checkLocalhostNames,
  checkOtherNames,
  checkPorts,
} from '../../admin/doctor/name-checks.ts'
import { systemLookup } from '../../admin/dns-trial.ts'
import {
  checkClock,
  checkDirectories,
  checkFileWatches,
  checkNode,
  checkOpenFiles,
  numberIn,
} from '../../admin/doctor/system-checks.ts'
import { tryPort } from '../../admin/port-trial.ts'
import { systemPathsBelow } from '../../admin/system-paths.ts'
import { textOf } from '../../admin/text-of.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { isWildcard } from '../../lib/host-name.ts'
import { checkDocker } from '../doctor/docker-check.ts'
import { serverChecks } from '../doctor/server-checks.ts'
import { checkTrustStores, readAuthorities } from '../doctor/trust-check.ts'
import { namesOfDaemon } from '../names-in-use.ts'
import { renderFindings } from '../output/findings.ts'

/** For each check; a handshake in every store takes a moment. */
const timeoutMs = 10_000
/** For the daemon: it answers at once or is in trouble. */
const daemonMs = 3_000

export async function doctor(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const findings = await examine(checksFor(context), timeoutMs)
  const report: DoctorReport = { ok: findings.every(({ severity }) => !isWrong(severity)), findings }
  if (call.flag('json')) output.printJson(report)
  else output.print(renderFindings(findings, output.answer.style, output.answer.width()).join('\n'))
  return report.ok ? exitCodes.ok : exitCodes.failed
}

function isWrong(severity: Finding['severity']): boolean {
  return severity === 'warning' || severity === 'error'
}

function checksFor(context: CommandContext): readonly Check[] {
  const { installation, env } = context
  const { config, data, state, runtime } = installation
  const paths = systemPathsBelow()
  const server = within(daemonMs, context.client().server())
  const names = within(daemonMs, namesOfDaemon(installation.apiSocket)).catch(() => null)
  // Each check that needs it says so by itself.
  server.catch(() => null)
  const hosts = async (): Promise<readonly string[]> => ((await names) ?? []).filter((name) => !isWildcard(name))
  const status = async (): Promise<ServerStatus | null> => await server.catch(() => null)
  return [
    { id: 'node', look: () => checkNode(process.versions.node) },
    { id: 'directories', look: () => checkDirectories([config, data, state, runtime], process.getuid?.() ?? 0) },
    ...serverChecks(
      context,
      server,
      names.then((all) => all ?? []),
    ),
    {
      id: 'ports',
      look: async () => checkPorts(await Promise.all([80, 443].map(tryPort)), (await status())?.proxy ?? null),
    },
    { id: 'names-localhost', look: async () => await checkLocalhostNames(await hosts(), systemLookup) },
    { id: 'names-other', look: async () => await checkOtherNames(await hosts(), systemLookup) },
    { id: 'hosts-file', look: async () => checkHostsFile(textOf(paths.hosts), await names) },
    {
      id: 'dns',
      look: async () =>
        await checkDns({
          setup: await readDnsSetup(installation.dnsSetup),
          isDaemonUp: (await status()) !== null,
          dropIn: textOf(paths.resolvedFile),
          look: systemLookup,
        }),
    },
    { id: 'trust', look: async () => await checkTrustStores(context) },
    { id: 'clock', look: async () => checkClock(await readAuthorities(installation), context.now()) },
    { id: 'docker', look: async () => await checkDocker(env) },
    { id: 'open-files', look: () => checkOpenFiles(textOf('/proc/self/limits')) },
    {
      id: 'file-watches',
      look: () =>
        checkFileWatches({
          watches: numberIn('/proc/sys/fs/inotify/max_user_watches'),
          instances: numberIn('/proc/sys/fs/inotify/max_user_instances'),
        }),
    },
  ]
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const error = new LocaldError('daemon_unreachable', `The daemon has not answered within ${ms / 1000} s`)
    timer = setTimeout(() => reject(error), ms)
  })
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer))
}
