// A small registry on loopback, for pulling without a network.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { gzipSync } from 'node:zlib'
import { docker } from './docker.ts'

export interface Registry extends AsyncDisposable {
  readonly port: number
  /** Lets the second half of every layer go out. */
  readonly release: () => void
}

/** What is shorter is sent at once. */
const smallBytes = 100_000

/**
 * A registry (https://github.com/opencontainers/distribution-spec) of one image of the engine, called `small`, whatever its
 * tag. Each layer is sent in two parts, the second when it is released.
 */
export async function startRegistry(source: string): Promise<Registry> {
  const { manifest, blobs } = exportImage(source)
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  const server = createServer((request, response) => {
    const [, kind, reference = ''] = /^\/v2\/small\/(manifests|blobs)\/(.+)$/u.exec(request.url ?? '') ?? []
    const body = request.url === '/v2/' ? Buffer.from('{}') : kind === 'manifests' ? manifest : blobs.get(reference)
    if (kind === 'manifests') {
      response.setHeader('Content-Type', 'application/vnd.docker.distribution.manifest.v2+json')
      response.setHeader('Docker-Content-Digest', digestOf(manifest))
    }
    if (body === undefined) {
      response.statusCode = 404
      response.end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }))
      return
    }
    response.setHeader('Content-Length', body.length)
    if (request.method === 'HEAD' || body.length < smallBytes) {
      response.end(request.method === 'HEAD' ? undefined : body)
      return
    }
    response.write(body.subarray(0, body.length / 2))
    void released.then(() => response.end(body.subarray(body.length / 2)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    release: () => release(),
    [Symbol.asyncDispose]: async () => {
      release()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** An image as registries hold it: a manifest, and by digest what it names. */
function exportImage(name: string): { readonly manifest: Buffer; readonly blobs: ReadonlyMap<string, Buffer> } {
  const directory = mkdtempSync(join(tmpdir(), 'image-'))
  try {
    const archive = join(directory, 'image.tar')
    docker('save', '--output', archive, name)
    const { status, stderr } = spawnSync('tar', ['-xf', archive, '-C', directory], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`Cannot unpack ${archive}: ${stderr}`)
    const read = (path: string): Buffer => readFileSync(join(directory, path))
    const [saved] = JSON.parse(read('manifest.json').toString()) as { Config: string; Layers: string[] }[]
    const blobs = new Map<string, Buffer>()
    const add = (mediaType: string, bytes: Buffer): { mediaType: string; size: number; digest: string } => {
      blobs.set(digestOf(bytes), bytes)
      return { mediaType, size: bytes.length, digest: digestOf(bytes) }
    }
    // One more layer that no engine has: of what it has, nothing would be fetched.
    writeFileSync(join(directory, 'random'), randomBytes(4_000_000))
    spawnSync('tar', ['-cf', join(directory, 'more.tar'), '-C', directory, 'random'])
    const layers = [...(saved?.Layers ?? []), 'more.tar'].map(read)
    const config = JSON.parse(read(saved?.Config ?? '').toString()) as {
      rootfs: { diff_ids: string[] }
      history?: unknown
    }
    delete config.history
    config.rootfs.diff_ids = layers.map(digestOf)
    const manifest = {
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: add('application/vnd.docker.container.image.v1+json', Buffer.from(JSON.stringify(config))),
      layers: layers.map((layer) => add('application/vnd.docker.image.rootfs.diff.tar.gzip', gzipSync(layer))),
    }
    return { manifest: Buffer.from(JSON.stringify(manifest)), blobs }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
