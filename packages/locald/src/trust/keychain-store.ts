// The keychain of macOS, which Safari, Chrome and curl use. Written after Apple's manual; it has not been run yet.
import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { Probe } from './probe.ts'
import { runProgram } from './programs.ts'
import type { TrustStore } from './trust-store.ts'

const security = '/usr/bin/security'
const keychain = '/Library/Keychains/System.keychain'

export function keychainStore(): TrustStore {
  return {
    id: 'keychain',
    kind: 'keychain',
    label: 'The system (keychain)',
    path: keychain,
    obstacle: null,
    needsRoot: process.getuid?.() !== 0,
    has: async ({ fingerprint, name }) => {
      const { stdout } = await runProgram([security, 'find-certificate', '-a', '-c', name, '-Z', keychain])
      return stdout.toLowerCase().includes(fingerprint)
    },
    preparations: [],
    additions: ({ file }) => [
      {
        type: 'run',
        argv: [security, 'add-trusted-cert', '-d', '-r', 'trustRoot', '-p', 'ssl', '-k', keychain, file],
      },
    ],
    removals: ({ fingerprint }) => [
      { type: 'run', argv: [security, 'delete-certificate', '-Z', fingerprint.toUpperCase(), '-t', keychain] },
    ],
    refresh: [],
    refreshAfterRemoval: [],
    proof: 'statement',
    verify: async (_, probe) => await verifyLeaf(probe),
  }
}

/** Asks the system about the certificate that the server shows. */
async function verifyLeaf({ host, port }: Probe): Promise<string | null> {
  const directory = await mkdtemp(join(tmpdir(), 'locald-probe-'))
  try {
    const file = join(directory, 'leaf.pem')
    await writeFile(file, await leafOf({ host, port }))
    const { ok, reason } = await runProgram([security, 'verify-cert', '-c', file, '-p', 'ssl', '-n', host, '-L'])
    return ok ? null : reason
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function leafOf({ host, port }: Pick<Probe, 'host' | 'port'>): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, servername: host, rejectUnauthorized: false })
  try {
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    return new X509Certificate(socket.getPeerCertificate().raw).toString()
  } finally {
    socket.destroy()
  }
}
