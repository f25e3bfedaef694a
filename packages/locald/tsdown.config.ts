// Builds four programs. Daemon, keeper and proxy are loaded whole when they start: an upgrade of the package under a running one
// must change nothing. What they need only now and then is part of their file, but evaluated at its first import. The
// command line loads the heavy part of a command only when that command is called.
import { createHash } from 'node:crypto'
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

/**
 * What all commands load: without the bundler's runtime, for which it has no use, and with a mark near its beginning that
 * no other build has, by which bin/locald.cjs knows its bytecode.
 */
const entry = {
  name: 'entry',
  generateBundle: (_: unknown, bundle: Record<string, { code?: string }>) => {
    const cli = bundle['cli.cjs']
    if (cli?.code === undefined) return
    const [load = '', name = ''] = /const (require_rolldown_runtime)=require\([^)]*\);/u.exec(cli.code) ?? []
    if (load === '' || cli.code.split(name).length > 2)
      throw new Error('The command line uses the runtime of the bundler')
    // As long as before, for the source map.
    const id = createHash('sha256').update(cli.code).digest('base64url')
    cli.code = cli.code.replace(load, `/*${id}*/`.padEnd(load.length))
  },
}

/** What every command loads is one file, and no larger than it has to be: the time of a command is mostly that of loading it. */
const quick = {
  ...packages,
  outputOptions: {
    codeSplitting: {
      groups: [
        { name: 'cli', tags: ['$initial' as const] },
        // What orders need besides, in one file: each takes half a millisecond to be found and read.
        {
          name: 'order',
          test: /src.(cli.(follow-order|report-outcome|print-project|output.progress)|client.api-streams)\.ts$/u,
        },
      ],
    },
  },
  minify: { compress: false, mangle: false, codegen: true },
  plugins: [slimDockerode, entry],
}

export default defineConfig([
  { ...shared, ...quick, entry: { cli: 'src/bin/cli.ts' }, clean: true },
  { ...shared, ...whole, entry: { daemon: 'src/bin/daemon.ts' } },
  { ...shared, ...whole, entry: { keeper: 'src/bin/keeper.ts' } },
  { ...shared, ...whole, entry: { proxy: 'src/bin/proxy.ts' } },
])
