// The keeper's entry point, built into dist/keeper.cjs and started by the command line.
import { join } from 'node:path'
import { runKeeper } from '../keeper/main.ts'

runKeeper({
  env: process.env,
  daemon: join(import.meta.dirname, 'daemon.cjs'),
  args: process.argv.slice(2),
  exit: (code) => process.exit(code),
})
