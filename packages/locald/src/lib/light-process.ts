// Short programs of which many are started: their output, their end and the end of all that they started.
import { accessSync, closeSync, constants, statSync } from 'node:fs'
import { Socket } from 'node:net'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { childExit } from './child-exit.ts'
import type { ChildExit } from './child-exit.ts'
import { openPipe, waitForChild } from './native.ts'
import { posixSpawn } from './posix-spawn.ts'

export interface LightOrder {
  /** Program and arguments; a name without a slash is looked for on the PATH of `env`. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Further variables, which `env` does not have. */
  readonly added?: Readonly<Record<string, string>>
  readonly cwd: string
}

/** It leads a session of its own, has no input, and all signals do what they do by default. */
export interface LightProcess extends Disposable {
  readonly pid: number
  /** What it and its descendants write, on either stream. */
  readonly output: Readable
  /** It has exited and was reaped, in a later turn of the event loop than it was started in. */
  readonly exit: Promise<ChildExit>
  /** Neither it nor any process that it started is left, but for those that closed descriptor 3. */
  readonly gone: Promise<void>
  /** Reads no more; kills nothing. */
  [Symbol.dispose](): void
}

/** How often it is looked whether it has exited: quickly once its descriptors are closed, and now and then should others have them. */
const firstLookMs = 1
const longestLookMs = 10

/** Throws with the system's `code` when it cannot be started. */
export function startLightProcess(order: LightOrder): LightProcess {
  const program = programOf(order)
  const output = openPipe()
  const life = openPipe()
  try {
    const pid = posixSpawn({
      ...order,
      program,
      descriptors: [
        { duplicate: output.write, as: 1 },
        { duplicate: output.write, as: 2 },
        { duplicate: life.write, as: 3 },
        { open: '/dev/null', flags: constants.O_RDONLY, as: 0 },
      ],
    })
    return watched(pid, new Socket({ fd: output.read }), new Socket({ fd: life.read }))
  } catch (error) {
    closeSync(output.read)
    closeSync(life.read)
    throw error
  } finally {
    closeSync(output.write)
    closeSync(life.write)
  }
}

function watched(pid: number, output: Socket, life: Socket): LightProcess {
  for (const stream of [output, life]) stream.on('error', () => {}) // a pipe that breaks has ended, which is all that matters
  life.resume()
  const gone = new Promise<void>((done) => {
    let open = 2
    for (const stream of [output, life]) stream.once('close', () => --open === 0 && done())
  })
  const exit = new Promise<ChildExit>((done) => {
    let delayMs = longestLookMs
    let timer = setTimeout(() => look(), delayMs).unref()
    const look = (): void => {
      clearTimeout(timer)
      const status = waitForChild(pid)
      if (status !== null) return done(childExit(status))
      timer = setTimeout(look, delayMs).unref()
      delayMs = Math.min(longestLookMs, delayMs * 2)
    }
    // The likeliest moment: its descriptors are closed just before it is a zombie.
    life.once('close', () => {
      delayMs = firstLookMs
      look()
    })
  })
  return {
    pid,
    output,
    exit,
    gone,
    [Symbol.dispose]: () => {
      output.destroy()
      life.destroy()
    },
  }
}

function programOf({ argv: [name = ''], env, cwd }: LightOrder): string {
  if (name.includes('/')) return resolve(cwd, name)
  const path = env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'
  const found = path
    .split(':')
    .map((directory) => join(resolve(cwd, directory), name))
    .find((candidate) => isProgram(candidate))
  if (found !== undefined && name !== '') return found
  throw Object.assign(new Error(`the command "${name}" is not on the PATH "${path}"`), { code: 'ENOENT' })
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false // absent, or not to be executed: the next directory may have it
  }
}
