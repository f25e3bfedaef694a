// Runs a program inside a running container, again and again.
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Exec } from 'dockerode'
import type { Engine } from './engine.ts'
import { statusOf } from './engine.ts'

export interface ExecResult {
  readonly code: number
  /** The last of what it wrote, both streams. */
  readonly output: string
}

const outputBytes = 4096

/** Programs inside one container, never two at once: an engine cannot end one that takes too long. */
export class ContainerExec {
  /** The last one, unless its end was seen. */
  #last: Exec | null = null

  /**
   * Until the program ends. Null: the one before it still runs, and nothing was started. Rejects when the engine refuses, or
   * `signal` aborts: the program may then go on inside.
   */
  async run(
    engine: Engine,
    container: string,
    argv: readonly string[],
    signal: AbortSignal,
  ): Promise<ExecResult | null> {
    if (this.#last !== null && (await isRunning(this.#last))) return null
    this.#last = null
    const exec = await engine
      .getContainer(container)
      .exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true, abortSignal: signal })
    this.#last = exec
    const output = await outputOf(engine, exec, signal)
    const code = await exitCodeOf(exec)
    this.#last = null
    return { code, output }
  }
}

async function isRunning(exec: Exec): Promise<boolean> {
  try {
    return (await exec.inspect()).Running
  } catch (error) {
    if (statusOf(error) === 404) return false // the engine has forgotten it: it has ended
    throw error
  }
}

/** Starts it, and waits for the end of its output. */
async function outputOf(engine: Engine, exec: Exec, signal: AbortSignal): Promise<string> {
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
  return output.toString('utf8').trimEnd()
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
