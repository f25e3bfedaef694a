// Node has no datagram sockets for this, so it lets systemd-notify speak; a process that it starts belongs to the service.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Sends assignments such as "READY=1". Does nothing where there is nobody to tell. */
export async function notify(...assignments) {
  if (process.env.NOTIFY_SOCKET) await promisify(execFile)('systemd-notify', assignments)
}
