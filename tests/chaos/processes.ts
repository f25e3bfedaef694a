// The processes of an installation, as the system shows them.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Of the keeper that holds the lock. */
export function keeperPid(home: string): number {
  return Number(readFileSync(join(home, 'state/keeper.lock'), 'utf8').split(' ')[0])
}

/** Null between two daemons. */
export function daemonPid(keeper: number): number | null {
  for (const [pid, { parent }] of readAll()) {
    if (parent === keeper && commandOf(pid).includes('daemon.cjs')) return pid
  }
  return null
}

/** What each of them leads to, but for files below a directory. */
export function descriptorsOf(pid: number, { except }: { readonly except: string }): readonly string[] {
  const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => targetOf(`/proc/${pid}/fd/${fd}`))
  return targets.filter((target) => target !== '' && !target.startsWith(`${except}/`))
}

export function isRunning(pid: number): boolean {
  return readAll().get(pid)?.state !== 'Z' && readAll().has(pid)
}

/** Living processes that work in this directory, with whether the keeper is among their ancestors. */
export function processesIn(
  directory: string,
  keeper: number,
): readonly { readonly pid: number; readonly command: string; readonly isOwned: boolean }[] {
  const all = readAll()
  const isBelow = (pid: number, ancestor: number): boolean => {
    for (let at = pid, steps = 0; at > 1 && steps < 100; at = all.get(at)?.parent ?? 0, steps += 1) {
      if (at === ancestor) return true
    }
    return false
  }
  return [...all.keys()].flatMap((pid) => {
    if (all.get(pid)?.state === 'Z' || cwdOf(pid) !== directory || isBelow(pid, process.pid)) return []
    return [{ pid, command: commandOf(pid), isOwned: isBelow(pid, keeper) }]
  })
}

function readAll(): ReadonlyMap<number, { readonly parent: number; readonly state: string }> {
  const found = new Map<number, { readonly parent: number; readonly state: string }>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readOrEmpty(`/proc/${name}/stat`)
    const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state !== '') found.set(Number(name), { parent: Number(parent), state })
  }
  return found
}

function commandOf(pid: number): string {
  return readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
}

/** A process may end while it is looked at. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function cwdOf(pid: number): string {
  return targetOf(`/proc/${pid}/cwd`)
}

/** Empty when it is gone. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}
