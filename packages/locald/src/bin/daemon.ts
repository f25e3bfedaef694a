import { runDaemon } from '../daemon/main.ts'

runDaemon({ env: process.env, exit: (code) => process.exit(code) }).catch((error: unknown) => {
  console.error(error)
  process.exit(70)
})
