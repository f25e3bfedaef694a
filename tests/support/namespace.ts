// A network and a mount namespace of a test's own: what a command does to the system there stays there.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** Where programs that root runs are looked for first; hardly a system has any there. */
const firstSystemDirectory = '/usr/local/sbin'

/** Null where namespaces can be made and users changed; else why not. */
export const whyNoNamespace: string | null = tryNamespace()

/** Somebody who is not root. */
export const plainUser = 65_534

export interface Namespace extends AsyncDisposable {
  /** Empty, anybody's, and gone with the namespace. */
  readonly directory: string
  /** The words around a command that make it run in here. */
  enter(uid?: number): readonly [string, ...string[]]
  /** Runs a shell command as root in here; returns its output, throws when it fails. */
  shell(command: string): string
}

/**
 * `replaced`: directories of the system that are empty in here, and whose changes are gone with it. The system's `sudo` asks
 * for nothing in here, and writes its arguments to `sudo.log` of `directory`; it is `bin/sudo` there.
 */
export async function openNamespace(replaced: readonly string[]): Promise<Namespace> {
  // Temporary directories of tests are for root alone.
  const directory = '/mnt'
  const holder = spawn('unshare', ['--mount', '--net', 'sh', '-c', 'echo here; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  const { pid } = holder
  const enter = (uid?: number): readonly [string, ...string[]] => [
    'nsenter',
    '--target',
    String(pid),
    '--mount',
    '--net',
    ...(uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']),
  ]
  const shell = (command: string): string => {
    const [program, ...args] = enter()
    const { status, stdout, stderr } = spawnSync(program, [...args, 'sh', '-ec', command], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`"${command}" exited ${status}: ${stderr}`)
    return stdout
  }
  const bin = `${directory}/bin`
  // Only in here may anybody become root by it.
  shell(`
    ip link set lo up
    mount -t tmpfs -o mode=777 none ${directory}
    mkdir ${bin}; touch ${directory}/sudo.log; chmod 666 ${directory}/sudo.log
    cp "$(command -v setpriv)" ${bin}/become-root; chmod u+s ${bin}/become-root
    printf '%s\\n' '#!/bin/sh' 'printf "%s\\n" "$*" >> ${directory}/sudo.log' \\
      'while [ "$1" != -- ]; do shift; done; shift' \\
      'exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SUDO_UID="$(id -ru)" ${bin}/become-root --reuid 0 --regid 0 --clear-groups -- "$@"' > ${bin}/sudo
    chmod 755 ${bin}/sudo
    mkdir -p ${firstSystemDirectory}; mount --bind ${bin} ${firstSystemDirectory}`)
  for (const directory of replaced) shell(`mkdir -p ${directory}; mount -t tmpfs none ${directory}`)
  return {
    directory,
    enter,
    shell,
    [Symbol.asyncDispose]: async () => {
      holder.kill('SIGKILL')
      await once(holder, 'close')
    },
  }
}

function tryNamespace(): string | null {
  if (process.getuid?.() !== 0) return 'only root can make them, and become another user in them'
  const { status, stderr } = spawnSync('unshare', ['--mount', '--net', 'true'], { encoding: 'utf8' })
  return status === 0 ? null : `unshare failed: ${stderr}`
}
