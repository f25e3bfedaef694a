// The certificates that the system trusts and those of our own CAs, in one file.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import type { Authority } from './authority.ts'

/** Where systems keep theirs, as one file of PEM. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Ubuntu, Arch, Alpine, Gentoo
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', // Fedora, RHEL
  '/etc/pki/tls/certs/ca-bundle.crt', // older ones of them
  '/var/lib/ca-certificates/ca-bundle.pem', // SUSE
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem', // macOS, BSD
]

/** The system's bundle below `root` (default `/`); null when there is none that can be read. */
export async function systemBundle(root = '/'): Promise<string | null> {
  for (const candidate of systemBundles) {
    const path = join(root, candidate)
    if ((await stat(path).catch(() => null))?.isFile() === true) return path
  }
  return null
}

/** Writes the bundle, unless `path` holds it already. Without a bundle of the system, with the CAs that Node comes with. */
export async function writeBundle(path: string, authorities: readonly Authority[], root = '/'): Promise<void> {
  const source = await systemBundle(root)
  const head = await headline(source, authorities)
  const old = await readFile(path, 'utf8').catch(() => '')
  if (old.startsWith(head)) return
  const system = source === null ? rootCertificates.join('\n') : await readFile(source, 'utf8')
  const own = authorities.map(({ certificate }) => certificate).filter((pem) => !system.includes(pem.trim()))
  await writeFileAtomic(path, `${head}${system.trimEnd()}\n${own.join('')}`, 0o644)
}

/** Says what the file was made of: when that has changed, it is made again. */
async function headline(source: string | null, authorities: readonly Authority[]): Promise<string> {
  const file = source === null ? null : await stat(source)
  const origin = file === null ? 'the CAs of Node' : `${source} of ${file.mtime.toISOString()}, ${file.size} bytes`
  return `# Made by locald from ${origin}, and ${authorities.map(({ fingerprint }) => fingerprint).join(' ')}\n`
}
