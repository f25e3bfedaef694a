// Ctrl-C and other requests to end, for commands that have something to do first.

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Calls `listener` instead of ending the process, until disposed. */
export function onInterrupt(listener: (signal: NodeJS.Signals) => void): Disposable {
  for (const signal of signals) process.on(signal, listener)
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, listener)
    },
  }
}
