// Tells when descriptors can be read that Node has no streams for.
import { closeSync, readSync, writeSync } from 'node:fs'
import koffi from 'koffi'
import { openPipe, setNonBlocking } from './native.ts'

const libc = koffi.load(null)
const poll = libc.func('int poll(void *, unsigned long, int)')

const entryBytes = 8
const readable = 1
const invalid = 0x20
/** After a wait that the system refused, which leaves nothing better to do than to try again. */
const retryMs = 1000

interface Watched {
  readonly fd: number
  readonly onReadable: () => void
}

/**
 * Waits in one thread of Node's pool, which costs no memory of its own, and only while there is something to wait for. A
 * descriptor that is not read empty is told of again. While it waits it keeps the process alive, and `process.exit()` hangs:
 * close it first.
 */
export class ReadablePoll {
  readonly #watched = new Map<number, Watched>()
  #wake: { readonly read: number; readonly write: number } | null = null
  #isWaiting = false
  #isWoken = false
  #isClosed = false

  /** Calls `onReadable` whenever `fd` can be read, until it is removed. */
  add(fd: number, onReadable: () => void): void {
    if (this.#isClosed) return
    this.#watched.set(fd, { fd, onReadable })
    this.#changed()
  }

  /** Call before `fd` is closed. */
  remove(fd: number): void {
    if (this.#watched.delete(fd)) this.#changed()
  }

  close(): void {
    this.#isClosed = true
    this.#watched.clear()
    if (this.#isWaiting) this.#interrupt()
    else this.#closeWake()
  }

  #changed(): void {
    if (this.#isWaiting) this.#interrupt()
    else this.#wait()
  }

  #interrupt(): void {
    if (this.#isWoken || this.#wake === null) return
    this.#isWoken = true
    writeSync(this.#wake.write, '.')
  }

  #wait(): void {
    if (this.#watched.size === 0 || this.#isClosed) return
    this.#wake ??= openWake()
    const watched = [...this.#watched.values()]
    // Referred to by the callback, so that it lives as long as the other thread writes to it.
    const entries = Buffer.alloc((watched.length + 1) * entryBytes)
    for (const [index, fd] of [this.#wake.read, ...watched.map((one) => one.fd)].entries()) {
      entries.writeInt32LE(fd, index * entryBytes)
      entries.writeInt16LE(readable, index * entryBytes + 4)
    }
    this.#isWaiting = true
    poll.async(entries, watched.length + 1, -1, (_error: Error | null, count: number) => {
      this.#isWaiting = false
      this.#drainWake()
      if (count < 0 && !this.#isClosed) {
        setTimeout(() => this.#wait(), retryMs)
        return
      }
      try {
        this.#tell(watched, entries)
      } finally {
        // Also when a listener has thrown: the others depend on it.
        if (this.#isClosed) this.#closeWake()
        else if (!this.#isWaiting) this.#wait()
      }
    })
  }

  #tell(watched: readonly Watched[], entries: Buffer): void {
    for (const [index, one] of watched.entries()) {
      const events = entries.readInt16LE((index + 1) * entryBytes + 6)
      if (events === 0 || this.#watched.get(one.fd) !== one) continue
      if ((events & invalid) === 0) one.onReadable()
      else this.#watched.delete(one.fd) // closed without being removed: it would end every wait at once
    }
  }

  #drainWake(): void {
    if (!this.#isWoken || this.#wake === null) return
    this.#isWoken = false
    readSync(this.#wake.read, Buffer.alloc(1))
  }

  #closeWake(): void {
    if (this.#wake === null) return
    closeSync(this.#wake.read)
    closeSync(this.#wake.write)
    this.#wake = null
  }
}

function openWake(): { readonly read: number; readonly write: number } {
  const ends = openPipe()
  setNonBlocking(ends.read)
  setNonBlocking(ends.write)
  return ends
}
