// Runs a program inside a running container.
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine } from './engine.ts'

export interface ExecResult {
  readonly code: number
  /** The last of what it wrote, both streams. */
  readonly output: string
}

const outputBytes = 4096

/** Until the program ends. Rejects when the engine refuses, or `signal` aborts: the program may then go on inside. */
export async function execInside(
  engine: Engine,
  container: string,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<ExecResult> {
  const exec = await engine
    .getContainer(container)
    .exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true, abortSignal: signal })
  const stream = await exec.start({ Detach: false, abortSignal: signal })
  const text = new PassThrough()
  engine.modem.demuxStream(stream, text, text)
  let output = Buffer.alloc(0)
  text.on('data', (part: Buffer) => {
    output = Buffer.concat([output, part]).subarray(-outputBytes)
  })
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => {
      stream.destroy()
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    })
    stream.once('end', resolve).once('close', resolve).once('error', reject)
  })
  return { code: await exitCodeOf(exec), output: output.toString('utf8').trimEnd() }
}

/** The output may end a moment before the engine has the exit code. */
export async function exitCodeOf(exec: {
  inspect(): Promise<{ ExitCode: number | null; Running: boolean }>
}): Promise<number> {
  for (let tries = 0; ; tries++) {
    const { ExitCode: code, Running: running } = await exec.inspect()
    if (code !== null && !running) return code
    if (tries > 200) throw new Error('the engine does not tell how the program ended')
    await sleep(5)
  }
}
