// Gives back what work has left in memory. V8 does so in small steps whenever a process is idle, which would wake the daemon
// again and again (keeper/daemon-process.ts turns that off); this is once, when the work is over.

/** Longer than services mostly take from one event to the next while they start. */
const quietMs = 5000

/** Begins to wait for quiet; what it returns is to be called at whatever happens. */
export function collectWhenQuiet(onError: (error: unknown) => void): () => void {
  const timer = setTimeout(() => void collectGarbage().catch(onError), quietMs).unref()
  return () => void timer.refresh()
}

/** Unlike `gc()` of V8's option, this also shrinks the young generation, which grows with every start of many services. */
async function collectGarbage(): Promise<void> {
  const { Session } = await import('node:inspector/promises')
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.collectGarbage')
  } finally {
    session.disconnect()
  }
}
