// How much memory is in use, without what is only waiting to be collected.
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const megabyte = 1024 * 1024

/** Megabytes that this process has taken of the system. */
export function rssMegabytes(): number {
  return process.memoryUsage.rss() / megabyte
}

/** Megabytes of objects and buffers that something still refers to. */
export async function usedMegabytes(): Promise<number> {
  setFlagsFromString('--expose_gc')
  const collect: () => void = runInNewContext('gc')
  // What one collection lets go of may hold something that the next one finds.
  for (let count = 0; count < 3; count += 1) {
    collect()
    await sleep(50)
  }
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / megabyte
}
