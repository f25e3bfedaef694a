// Builds three programs. Daemon and keeper are loaded whole when they start: an upgrade of the package under a running one
// must change nothing. The command line loads the heavy part of a command only when that command is called.
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

export default defineConfig([
  { ...shared, entry: { cli: 'src/bin/cli.ts' }, noExternal: [/.*/], external: [/^koffi$/, /^@lydell\//], clean: true },
  { ...shared, entry: { daemon: 'src/bin/daemon.ts' }, noExternal: [/.*/], external: [/^koffi$/, /^@lydell\//] },
  { ...shared, entry: { keeper: 'src/bin/keeper.ts' }, noExternal: [/.*/], external: [/^koffi$/, /^@lydell\//] },
])
