// Finds processes that outlived their test, by what they were given: a variable of the environment, a directory they work
// in, a path on their command line. A process that wiped all three is not found here, but by the test that started it.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface Leftover {
  readonly pid: number
  readonly command: string
  readonly why: string
}

/** What marks a process as ours; any of it suffices. */
export interface Marks {
  /** `NAME=value` in its environment. */
  readonly variable?: string
  /** It works in this directory or below, or names it on its command line. */
  readonly directory?: string
}

/** Every living process with these marks, but for this one and its ancestors. Zombies do not count. */
export function findLeftovers({ variable, directory }: Marks): readonly Leftover[] {
  const own = ancestors(process.pid)
  const found: Leftover[] = []
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || own.has(pid)) continue
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
    if (command === '') continue // a kernel thread, a zombie, or gone
    const why = whyOurs(pid, command, { ...(variable && { variable }), ...(directory && { directory }) })
    if (why !== undefined) found.push({ pid, command, why })
  }
  return found
}

function whyOurs(pid: number, command: string, { variable, directory }: Marks): string | undefined {
  if (variable !== undefined && read(`/proc/${pid}/environ`).split('\0').includes(variable)) return variable
  if (directory === undefined) return undefined
  if (command.includes(directory)) return 'names the directory'
  const cwd = readLink(`/proc/${pid}/cwd`)
  return cwd === directory || cwd.startsWith(`${directory}/`) ? `works in ${cwd}` : undefined
}

function ancestors(pid: number): ReadonlySet<number> {
  const found = new Set<number>()
  for (let at = pid; at > 0 && !found.has(at);) {
    found.add(at)
    const stat = read(`/proc/${at}/stat`)
    at = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0)
  }
  return found
}

/** A process may end, or belong to somebody else, while it is looked at: that reads as nothing. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
