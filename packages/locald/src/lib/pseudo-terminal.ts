// A terminal of our own making: what a program sees as its terminal, and we as a descriptor to read and write.
import { closeSync, constants } from 'node:fs'
import koffi from 'koffi'
import { checkedCall, setCloseOnExec } from './native.ts'

const isLinux = process.platform === 'linux'
const libc = koffi.load(null)
const openTerminal = libc.func('int posix_openpt(int)')
const grant = libc.func('int grantpt(int)')
const unlock = libc.func('int unlockpt(int)')
const nameOf = libc.func('int ptsname_r(int, void *, size_t)')
const ioctl = libc.func('int ioctl(int, unsigned long, ...)')

// Numbers from the systems' headers.
const setWindowSize = isLinux ? 0x5414 : 0x80087467
const longestName = 128

export interface PseudoTerminal {
  /** Our side, which children do not inherit. */
  readonly master: number
  /** The program's side: the path of a device. */
  readonly path: string
}

export interface TerminalSize {
  readonly cols: number
  readonly rows: number
}

/** Throws with the system's `code` when there are no more terminals to be had. */
export function openPseudoTerminal(size: TerminalSize): PseudoTerminal {
  const master = checkedCall('posix_openpt', openTerminal(constants.O_RDWR | constants.O_NOCTTY))
  try {
    setCloseOnExec(master)
    checkedCall('grantpt', grant(master))
    checkedCall('unlockpt', unlock(master))
    const name = Buffer.alloc(longestName)
    checkedCall('ptsname_r', nameOf(master, name, name.length) === 0 ? 0 : -1)
    resizePseudoTerminal(master, size)
    return { master, path: name.toString('utf8', 0, name.indexOf(0)) }
  } catch (error) {
    closeSync(master)
    throw error
  }
}

/** Tells the programs on it by SIGWINCH. */
export function resizePseudoTerminal(master: number, { cols, rows }: TerminalSize): void {
  const size = Buffer.alloc(8)
  size.writeUInt16LE(rows, 0)
  size.writeUInt16LE(cols, 2)
  checkedCall('ioctl', ioctl(master, setWindowSize, 'void *', size))
}
