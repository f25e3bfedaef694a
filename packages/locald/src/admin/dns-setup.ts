// What somebody asked the DNS server for: kept as a file of the installation, read by each daemon at its start.
import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { failed, reasonOf } from './replace-file.ts'
import { isSuffix } from './writable-name.ts'
import type { DnsSetup } from './resolved-drop-in.ts'

/** Below the ports that are given to services. */
export const defaultDnsPort = 15_353

/** Null when nobody has asked for one, or the file makes no sense. */
export async function readDnsSetup(file: string): Promise<DnsSetup | null> {
  try {
    return parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    // Not there, or damaged: without it names are looked up as everywhere else.
    return null
  }
}

/** Null removes it. Throws `setup_failed`. */
export async function writeDnsSetup(file: string, setup: DnsSetup | null): Promise<void> {
  try {
    if (setup === null) return await rm(file, { force: true })
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFileAtomic(file, `${JSON.stringify({ version: 1, ...setup })}\n`)
  } catch (cause) {
    throw failed(`Cannot ${setup === null ? 'remove' : 'write'} "${file}": ${reasonOf(cause)}`, cause)
  }
}

function parse(content: unknown): DnsSetup | null {
  if (typeof content !== 'object' || content === null || !('port' in content) || !('suffixes' in content)) return null
  const { port, suffixes } = content
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return null
  if (!Array.isArray(suffixes)) return null
  const names = suffixes.filter((suffix): suffix is string => typeof suffix === 'string' && isSuffix(suffix))
  return names.length === suffixes.length && names.length > 0 ? { port, suffixes: names } : null
}
