// The command `locald`.
import { fileURLToPath } from 'node:url'
import { onInterrupt } from '../cli/interrupts.ts'
import { main } from '../cli/main.ts'
import { createOutput } from '../cli/output/output.ts'
import { version } from '../lib/version.ts'

const { argv, env } = process

void main({
  argv: argv.slice(2),
  env,
  cwd: process.cwd(),
  version,
  keeperProgram: fileURLToPath(new URL('keeper.cjs', import.meta.url)),
  output: createOutput({ stdout: () => process.stdout, stderr: () => process.stderr, env }),
  isInteractive: () => process.stdin.isTTY,
  onInterrupt,
}).then((code) => process.exit(code))
