// The command `locald`.
import { join } from 'node:path'
import { onInterrupt } from '../cli/interrupts.ts'
import { main } from '../cli/main.ts'
import { createOutput } from '../cli/output/output.ts'
import { version } from '../lib/version.ts'

const { argv, env } = process
const opened = new Set<NodeJS.WriteStream>()

void main({
  argv: argv.slice(2),
  env,
  cwd: process.cwd(),
  version,
  keeperProgram: join(import.meta.dirname, 'keeper.cjs'),
  output: createOutput({ stdout: () => open(process.stdout), stderr: () => open(process.stderr), env }),
  isInteractive: () => process.stdin.isTTY,
  onInterrupt,
}).then(async (code) => {
  await Promise.all([...opened].map(flushed))
  process.exit(code)
})

function open(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  opened.add(stream)
  return stream
}

/** To a socket, which is what a program started by Node has for its output, writes go on later; `exit` would cut them. */
async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0) return
  await new Promise<void>((resolve) => {
    stream.write('', () => resolve())
  })
}
