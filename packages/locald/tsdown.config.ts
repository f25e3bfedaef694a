// Builds three programs. Daemon and keeper are loaded whole when they start: an upgrade of the package under a running one
// must change nothing. What they need only now and then is part of their file, but evaluated at its first import. The
// command line loads the heavy part of a command only when that command is called.
import { defineConfig } from 'tsdown'

const shared = {
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  outDir: 'dist',
  dts: false,
  sourcemap: true,
  fixedExtension: true,
  clean: false,
} as const
const packages = { noExternal: [/.*/], external: [/^koffi$/] }

/** What dockerode builds images with and packs archives with, which locald does not do, and an ssh client, for which there is ssh. */
const unused = new Set(['@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs', 'tar-fs', '@balena/dockerignore', 'ssh2'])

/** Leaves out parts of dockerode: docs/decisions/0017. */
const slimDockerode = {
  name: 'slim-dockerode',
  resolveId: (id: string) => (unused.has(id) ? '\0unused' : undefined),
  load: (id: string) => (id === '\0unused' ? 'module.exports = {}' : undefined),
}

const whole = { ...packages, outputOptions: { codeSplitting: false }, plugins: [slimDockerode] }

export default defineConfig([
  { ...shared, ...packages, entry: { cli: 'src/bin/cli.ts' }, plugins: [slimDockerode], clean: true },
  { ...shared, ...whole, entry: { daemon: 'src/bin/daemon.ts' } },
  { ...shared, ...whole, entry: { keeper: 'src/bin/keeper.ts' } },
])
