// Which files of the system locald may change, and only after it was told to.
import { join } from 'node:path'

export interface SystemPaths {
  readonly hosts: string
  /** Ours alone: read at boot. */
  readonly sysctlFile: string
  /** Whose later files may say otherwise. */
  readonly sysctlDirectory: string
  /** The lowest port that everybody may open, as the kernel has it now. */
  readonly portStart: string
  /** Ours alone: which names systemd-resolved asks our DNS server for. */
  readonly resolvedFile: string
  /** There while systemd-resolved runs. */
  readonly resolvedRuntime: string
}

/** `root` is another one than `/` in a test. */
export function systemPathsBelow(root = '/'): SystemPaths {
  return {
    hosts: join(root, 'etc/hosts'),
    sysctlFile: join(root, 'etc/sysctl.d/60-locald.conf'),
    sysctlDirectory: join(root, 'etc/sysctl.d'),
    portStart: join(root, 'proc/sys/net/ipv4/ip_unprivileged_port_start'),
    resolvedFile: join(root, 'etc/systemd/resolved.conf.d/locald.conf'),
    resolvedRuntime: join(root, 'run/systemd/resolve'),
  }
}
