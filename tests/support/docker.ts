// The Docker engine that tests use: DOCKER_HOST, or the usual socket. `.ci/run` starts one of its own.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const buildImages = fileURLToPath(new URL('../../scripts/build-test-images.sh', import.meta.url))

/** For commands that are to use this engine. */
export const dockerEnv: Readonly<Record<string, string>> = {
  DOCKER_HOST: process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock',
}

/** Null when containers can be run, and the images of `images/` are there; else why not. */
export const whyNoDocker: string | null = prepare()

function prepare(): string | null {
  const { status, stderr, error } = spawnSync(buildImages, [], {
    env: { ...process.env, ...dockerEnv },
    encoding: 'utf8',
  })
  if (error !== undefined) return error.message
  return status === 0 ? null : stderr.trim()
}

/** The docker command, for looking at what locald made of an engine. Throws when it fails. */
export function docker(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('docker', args, {
    env: { ...process.env, ...dockerEnv },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`"docker ${args.join(' ')}" exited with ${String(status)}: ${stderr}`)
  return stdout.trim()
}

/** Names of the containers of a project, running or not. */
export function containersOf(project: string): readonly string[] {
  const names = docker('ps', '--all', '--filter', `label=locald.project=${project}`, '--format', '{{.Names}}')
  return names === '' ? [] : names.split('\n').sort()
}

/** Whether the kernel and the engine keep a container to an amount of memory. */
export function limitsMemory(): boolean {
  return whyNoDocker === null && docker('info', '--format', '{{.MemoryLimit}}') === 'true'
}
