// The system's own store, which OpenSSL, GnuTLS, curl, git, Go and others use. Each family of systems has its layout.
import { constants } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { systemBundle } from '../certificates/ca-bundle.ts'
import { isAllowed, systemProgram } from '../lib/system-program.ts'
import type { Change } from './change.ts'
import { installCaCertificates } from './distribution.ts'
import type { Probe } from './probe.ts'
import type { TrustPlace } from './trust-place.ts'
import type { Obstacle, StoredCa, TrustStore } from './trust-store.ts'

interface Layout {
  readonly family: string
  /** Where an administrator puts further CAs, one file each. */
  readonly anchors: string
  readonly extension: string
  /** What takes them over. */
  readonly update: readonly [program: string, ...args: readonly string[]]
  /** Added to it when some were removed. */
  readonly afterRemoval?: string
}

/** The first whose directory exists is meant. */
const layouts: readonly Layout[] = [
  {
    family: 'Fedora, RHEL',
    anchors: 'etc/pki/ca-trust/source/anchors',
    extension: 'pem',
    update: ['update-ca-trust', 'extract'],
  },
  {
    family: 'Debian, Ubuntu',
    anchors: 'usr/local/share/ca-certificates',
    extension: 'crt',
    update: ['update-ca-certificates'],
    afterRemoval: '--fresh', // else links to what was removed stay
  },
  {
    family: 'Arch',
    anchors: 'etc/ca-certificates/trust-source/anchors',
    extension: 'crt',
    update: ['trust', 'extract-compat'],
  },
  { family: 'SUSE', anchors: 'etc/pki/trust/anchors', extension: 'pem', update: ['update-ca-certificates'] },
]

/** Always one, perhaps with an obstacle: there is no system without a store. */
export async function systemStore(place: TrustPlace): Promise<TrustStore> {
  const layout = await layoutAt(place)
  const update = layout === null ? null : await systemProgram(layout.update[0], place.root)
  const directory = layout === null ? null : join(place.root, layout.anchors)
  const fileOf = ({ fingerprint }: StoredCa): string =>
    join(directory ?? '', `locald-${fingerprint.slice(0, 16)}.${layout?.extension ?? ''}`)
  const updateBy = (...args: readonly string[]): readonly Change[] =>
    update === null ? [] : [{ type: 'run', argv: [update, ...args] }]
  return {
    id: 'system',
    kind: 'system',
    label: `The system${layout === null ? '' : ` (${layout.family})`}`,
    path: directory ?? place.root,
    obstacle: await obstacleOf(place, layout, update),
    needsRoot: directory === null || !(await isAllowed(directory, constants.W_OK)) || !isRootWhereItMatters(place),
    has: async (ca) => directory !== null && (await stat(fileOf(ca)).catch(() => null)) !== null,
    preparations: [],
    additions: (authority) => [{ type: 'write', path: fileOf(authority), text: authority.certificate }],
    removals: (ca) => [{ type: 'remove', path: fileOf(ca) }],
    refresh: updateBy(...(layout?.update.slice(1) ?? [])),
    refreshAfterRemoval: updateBy(
      ...(layout?.update.slice(1) ?? []),
      ...(layout?.afterRemoval === undefined ? [] : [layout.afterRemoval]),
    ),
    proof: 'handshake',
    verify: async (_, probe) => await handshakeWith(await systemBundle(place.root), probe),
  }
}

async function layoutAt({ root }: TrustPlace): Promise<Layout | null> {
  for (const layout of layouts) {
    if ((await stat(join(root, layout.anchors)).catch(() => null))?.isDirectory() === true) return layout
  }
  return null
}

/** A directory that happens to be writable is not enough: the bundle has to be as well. */
function isRootWhereItMatters({ root }: TrustPlace): boolean {
  return root !== '/' || process.getuid?.() === 0
}

async function obstacleOf(place: TrustPlace, layout: Layout | null, update: string | null): Promise<Obstacle | null> {
  if (layout !== null && update !== null) return null
  if (layout !== null) {
    return { reason: `"${layout.update[0]}" is missing`, fix: await installCaCertificates(place) }
  }
  return {
    reason: 'Its store has no layout that locald knows',
    fix: `Add the CAs by the means of the system, or install its package of CAs: ${await installCaCertificates(place)}`,
  }
}

/** With the CAs of this bundle and no others, as a program does that uses the system's. */
async function handshakeWith(bundle: string | null, { host, port }: Probe): Promise<string | null> {
  if (bundle === null) return 'The system has no bundle of CAs'
  const ca = await readFile(bundle, 'utf8')
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, servername: host, ca })
    const end = (reason: string | null): void => {
      socket.destroy()
      resolve(reason)
    }
    socket.setTimeout(10_000, () => end('No answer within 10 s'))
    socket.once('secureConnect', () => end(null))
    socket.once('error', ({ message }) => end(message))
  })
}
