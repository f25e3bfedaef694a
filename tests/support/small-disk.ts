// A file system of its own size, which a test can fill.
import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmdirSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Harness } from './harness.ts'

/** Null where file systems can be mounted; else why not. */
export const whyNoSmallDisk: string | null = tryMount()

export interface SmallDisk extends AsyncDisposable {
  /** Takes all the room there is. */
  fill(): void
  /** Gives so much of it back; all without a number. */
  free(bytes?: number): void
}

/** Puts an installation that has not been started yet on a disk of this size. Disposing of it stops the installation. */
export function mountSmallDisk(harness: Harness, bytes: number): SmallDisk {
  mkdirSync(harness.home)
  mount(harness.home, bytes)
  const ballast = openSync(join(harness.home, 'ballast'), 'w')
  let taken = 0
  return {
    fill: () => {
      const block = Buffer.alloc(64 * 1024)
      for (let size = block.length; size >= 1; size = Math.floor(size / 2)) {
        for (;;) {
          try {
            taken += writeSync(ballast, block, 0, size, taken)
          } catch (error) {
            if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') break
            throw error
          }
        }
      }
      if (statfsSync(harness.home).bavail > 0) throw new Error('The disk could not be filled')
    },
    free: (room = taken) => {
      taken = Math.max(0, taken - room)
      ftruncateSync(ballast, taken)
    },
    [Symbol.asyncDispose]: async () => {
      ftruncateSync(ballast, 0)
      closeSync(ballast)
      await harness.locald(['server', 'stop'])
      unmount(harness.home)
    },
  }
}

function tryMount(): string | null {
  if (process.platform !== 'linux') return 'this is not Linux'
  const directory = mkdtempSync(join(tmpdir(), 'sd-'))
  try {
    mount(directory, 65_536)
    unmount(directory)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    rmdirSync(directory)
  }
}

function mount(directory: string, bytes: number): void {
  run('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0700`, 'locald-test', directory])
}

/** Processes that have just ended may still be letting go of their files. */
function unmount(directory: string): void {
  for (let attempt = 1; ; attempt++) {
    try {
      return run('umount', [directory])
    } catch (error) {
      if (attempt === 40) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    }
  }
}

function run(program: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`"${program}" exited with ${String(status)}: ${stderr.trim()}`)
}
