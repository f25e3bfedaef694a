// `locald admin sync-hosts`: the names of services in the hosts file, for programs that do not resolve them otherwise.
import { exitCodes, LocaldError } from '@locald/protocol'
import { access, constants } from 'node:fs/promises'
import { resolve } from 'node:path'
import { planHosts } from '../../admin/hosts-file.ts'
import type { HostsPlan } from '../../admin/hosts-file.ts'
import { readSystemFile, replaceFile } from '../../admin/replace-file.ts'
import type { FileVersion } from '../../admin/replace-file.ts'
import { commandForRoot, runAsRoot } from '../../admin/sudo.ts'
import { systemPathsBelow } from '../../admin/system-paths.ts'
import { isErrno } from '../../lib/errno.ts'
import { shellText } from '../../lib/shell-text.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { namesInUse } from '../names-in-use.ts'
import { tellNamesChanged } from '../tell-daemon.ts'
import { rootOptionsOf } from './admin-setup.ts'

export async function adminSyncHosts(context: CommandContext, call: Invocation): Promise<number> {
  const { output, cwd } = context
  const path = resolve(cwd, call.text('hosts-file') ?? systemPathsBelow().hosts)
  const names = call.flag('remove') ? [] : call.args.length > 0 ? call.args : await namesInUse(context)
  const file = await readSystemFile(path)
  const plan = planHosts(file.text, names)
  const code = plan.refused.length === 0 ? exitCodes.ok : exitCodes.failed
  if (!call.flag('quiet')) reportPlan(context, plan)
  const args = privilegedArgs(call, path, names)
  const options = rootOptionsOf(context)
  if (plan.text === file.text) {
    output.note(`${path} is as it should be`)
  } else if (call.flag('dry-run')) {
    output.note('')
    if (!(await isWritable(file))) output.note(`It would run: ${shellText(await commandForRoot(args, options))}`)
    output.note('Nothing was changed')
  } else if (await isWritable(file)) {
    await replaceFile(file, plan.text)
    output.note(`Wrote ${path}`)
  } else await runAsRoot(args, options)
  if (!call.flag('dry-run')) await tellNamesChanged(context)
  return call.flag('quiet') ? exitCodes.ok : code
}

/** Root is told the names: whom to ask for them it would have to find out. */
function privilegedArgs(call: Invocation, path: string, names: readonly string[]): readonly string[] {
  const file = call.text('hosts-file') === undefined ? [] : ['--hosts-file', path]
  const what = call.flag('remove') ? ['--remove'] : ['--', ...names]
  return ['admin', 'sync-hosts', '--quiet', ...file, ...what]
}

async function isWritable({ path }: FileVersion): Promise<boolean> {
  try {
    await access(path, constants.W_OK)
    return true
  } catch (error) {
    if (isErrno(error, 'EACCES') && process.getuid?.() !== 0) return false
    throw new LocaldError('setup_failed', `Cannot write "${path}": its file system cannot be written to`, {
      cause: error,
      hint: 'Where the system is described elsewhere (NixOS, an image), change it there; "--dry-run" shows the names',
    })
  }
}

function reportPlan({ output }: CommandContext, { added, removed, kept, present, refused, warnings }: HostsPlan): void {
  const { style } = output.side
  for (const name of added) output.note(`${style.green('+')} ${name}`)
  for (const name of removed) output.note(`${style.red('-')} ${name}`)
  for (const name of kept) output.note(style.dim(`  ${name}`))
  for (const name of present) output.note(style.dim(`  ${name} (the file leads it here by itself)`))
  for (const { name, reason } of refused) output.note(`${style.red('error:')} "${name}" was left out: ${reason}`)
  for (const warning of warnings) output.note(`${style.yellow('warning:')} ${warning}`)
}
