// Builds three programs, each loaded whole when it starts: an upgrade of the package under a
// running daemon or keeper must change nothing. Only the command line loads parts on demand.
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
