// One change to the system, as data: it is shown before it is made, and made by root.
import { spawn } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { failed, reasonOf } from './replace-file.ts'

export interface SystemChange {
  /** What it is good for. */
  readonly title: string
  readonly file: {
    readonly path: string
    /** Null: the file is removed. */
    readonly text: string | null
  }
  /** How it takes effect at once, without a reboot; null where it already has, or where that is not for us to do. */
  readonly effect:
    | { readonly type: 'kernel'; readonly path: string; readonly from: string; readonly to: string }
    | { readonly type: 'command'; readonly argv: readonly string[] }
    | null
  /** What somebody should know before, a sentence each. */
  readonly notes: readonly string[]
}

/** Needs the rights of root. Throws `setup_failed`; what was done before that stays done, and doing it again is harmless. */
export async function makeChange({ file, effect }: SystemChange): Promise<void> {
  try {
    if (file.text === null) await rm(file.path, { force: true })
    else {
      await mkdir(dirname(file.path), { recursive: true, mode: 0o755 })
      await writeFileAtomic(file.path, file.text, 0o644)
    }
  } catch (cause) {
    throw failed(`Cannot ${file.text === null ? 'remove' : 'write'} "${file.path}": ${reasonOf(cause)}`, cause)
  }
  if (effect?.type === 'kernel') await setKernel(effect.path, effect.to)
  if (effect?.type === 'command') await run(effect.argv)
}

async function setKernel(path: string, value: string): Promise<void> {
  try {
    await writeFile(path, `${value}\n`)
  } catch (cause) {
    throw failed(
      `Cannot set "${path}" to ${value}: ${reasonOf(cause)}`,
      cause,
      'In a container that is for its host to decide; the file was written and counts from the next boot on',
    )
  }
}

async function run([program = '', ...args]: readonly string[]): Promise<void> {
  const output: Buffer[] = []
  const code = await new Promise<number | string>((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk))
    child.once('error', (error) => resolve(error.message))
    child.once('close', (exit, signal) => resolve(exit ?? signal ?? 'unknown'))
  })
  if (code === 0) return
  const words = Buffer.concat(output).toString().trim()
  throw failed(`"${[program, ...args].join(' ')}" failed (${code})${words === '' ? '' : `: ${words}`}`)
}
