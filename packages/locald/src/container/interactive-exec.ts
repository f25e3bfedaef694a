// A program inside a running container with somebody's own input and output, as `docker exec` has it.
import { PassThrough } from 'node:stream'
import type { Duplex, Readable } from 'node:stream'
import { exitCodeOf } from './container-exec.ts'
import type { EngineAddress } from './container-order.ts'
import { describeEngineError, openEngine } from './engine.ts'

export interface InteractiveOrder {
  readonly engine: EngineAddress
  readonly container: string
  readonly argv: readonly string[]
  /** Besides those of the container. */
  readonly env: Readonly<Record<string, string>>
  /** A terminal of this size; null: none, and two streams of output. */
  readonly tty: { readonly cols: number; readonly rows: number } | null
}

export interface InteractiveExec {
  /** With a terminal everything comes here. */
  readonly stdout: Readable
  readonly stderr: Readable
  readonly write: (bytes: Buffer) => void
  /** There is no more input. */
  readonly endInput: () => void
  readonly resize: (size: { readonly cols: number; readonly rows: number }) => void
  /** Resolves with the exit code once all output has been given out. */
  readonly ended: Promise<number>
  /** Lets go of it. The program may go on: an engine cannot end one. */
  readonly abandon: () => void
}

/** Rejects, in words for users, when the engine refuses. */
export async function interactiveExec({
  engine: address,
  container,
  argv,
  env,
  tty,
}: InteractiveOrder): Promise<InteractiveExec> {
  try {
    const engine = await openEngine(address)
    const exec = await engine.getContainer(container).exec({
      Cmd: [...argv],
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: tty !== null,
    })
    const stream: Duplex = await exec.start({ hijack: true, stdin: true, Tty: tty !== null })
    const stdout = new PassThrough()
    const stderr = new PassThrough()
    if (tty !== null) stream.on('data', (bytes: Buffer) => stdout.write(bytes))
    else engine.modem.demuxStream(stream, stdout, stderr)
    const resize: InteractiveExec['resize'] = ({ cols, rows }) => {
      // It may have ended; then nobody looks at its size.
      exec.resize({ w: cols, h: rows }).catch(() => undefined)
    }
    if (tty !== null) resize(tty)
    const ended = new Promise<void>((resolve) => {
      stream
        .once('end', resolve)
        .once('close', resolve)
        .once('error', () => resolve())
    }).then(async () => {
      stdout.end()
      stderr.end()
      return await exitCodeOf(exec)
    })
    return {
      stdout,
      stderr,
      write: (bytes) => void stream.write(bytes),
      endInput: () => stream.end(),
      resize,
      ended,
      abandon: () => stream.destroy(),
    }
  } catch (error) {
    throw new Error(describeEngineError(error, address), { cause: error })
  }
}
