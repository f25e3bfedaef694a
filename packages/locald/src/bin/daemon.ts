// The daemon's entry point, built into dist/daemon.cjs and started by the keeper.
import { join } from 'node:path'
import { runDaemon } from '../daemon/main.ts'

runDaemon({
  env: process.env,
  keeperProgram: join(import.meta.dirname, 'keeper.cjs'),
  proxyProgram: join(import.meta.dirname, 'proxy.cjs'),
  exit: (code) => process.exit(code),
}).catch((error: unknown) => {
  console.error(error)
  process.exit(70)
})
