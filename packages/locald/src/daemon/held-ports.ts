// Whether the ports of what was stopped are free.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Listener } from '../lib/listener.ts'
import { listListeners } from '../lib/listening-sockets.ts'
import { describeHolder, holdersOf } from '../lib/port-holder.ts'

/** The system closes what a process had open a moment after it is gone; so do those who listen for somebody else. */
const patienceMs = 1000
const betweenLooksMs = 20

/** Which of these ports somebody listens on, with who that is. `isExpected`: it is one of those that run on. */
export async function heldPorts(
  ports: ReadonlySet<number>,
  isExpected: (pid: number) => boolean,
): Promise<ReadonlyMap<number, string>> {
  const look = async (): Promise<readonly Listener[]> => (await listListeners()).filter(({ port }) => ports.has(port))
  const deadline = performance.now() + patienceMs
  let listening = await look()
  while (listening.length > 0 && performance.now() < deadline) {
    await sleep(betweenLooksMs)
    listening = await look()
  }
  const holders = await holdersOf(listening)
  const held = new Map<number, string>()
  for (const { inode, port } of listening) {
    const holder = holders.get(inode)
    if (holder === undefined || (holder.pid !== null && isExpected(holder.pid))) continue
    held.set(port, describeHolder(holder))
  }
  return held
}
