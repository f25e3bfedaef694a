// Connections to an engine on another machine through the user's own ssh, as docker's command makes them.
import { spawn } from 'node:child_process'
import { Agent } from 'node:http'
import { Duplex } from 'node:stream'

/** `url`: `ssh://user@host:port`. Each connection is a process, which asks nobody for a password. */
export function sshAgent(url: string): Agent {
  const { hostname, port, username } = new URL(url)
  const target = username === '' ? hostname : `${decodeURIComponent(username)}@${hostname}`
  const options = ['-o', 'BatchMode=yes', '-o', 'ConnectTimeout=30', ...(port === '' ? [] : ['-p', port])]
  return new SshAgent([...options, '--', target, 'docker', 'system', 'dial-stdio'])
}

class SshAgent extends Agent {
  readonly #argv: readonly string[]

  constructor(argv: readonly string[]) {
    super()
    this.#argv = argv
  }

  override createConnection(): Duplex {
    const child = spawn('ssh', this.#argv, { stdio: ['pipe', 'pipe', 'pipe'] })
    const connection = Duplex.from({ writable: child.stdin, readable: child.stdout })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (part: string) => (said = (said + part).slice(-500)))
    child.once('error', (error) => connection.destroy(error))
    child.once('exit', (code) => {
      if (code === 0 || code === null) return
      connection.destroy(Object.assign(new Error(said.trim() || `ssh exited with code ${code}`), { code: 'ESSH' }))
    })
    connection.once('close', () => child.kill())
    return connection
  }
}
