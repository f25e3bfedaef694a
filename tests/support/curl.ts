// curl as a client of the proxy: it leads names below localhost to this machine by itself.
import { execFile } from 'node:child_process'

export interface CurlAnswer {
  /** 0: there was no answer. */
  readonly status: number
  readonly body: string
  /** `1.1`, `2`. */
  readonly version: string
  /** curl's own exit code: 0 when there was an answer, 7 when it was refused a connection, 60 for a certificate it does not trust. */
  readonly exit: number
  /** Where a redirect leads; empty: nowhere. */
  readonly redirect: string
}

const mark = '\n--curl--'

/** One request; never rejects. */
export async function curl(...args: readonly string[]): Promise<CurlAnswer> {
  const format = `${mark}%{http_code} %{http_version} %{redirect_url}`
  const all = ['--silent', '--show-error', '--max-time', '40', '--noproxy', '*', '--write-out', format, ...args]
  return await new Promise((resolve) => {
    execFile('curl', all, { maxBuffer: 1 << 26 }, (error, stdout) => {
      const at = stdout.lastIndexOf(mark)
      const [status = '0', version = '', redirect = ''] = stdout.slice(at + mark.length).split(' ')
      const exit = typeof error?.code === 'number' ? error.code : 0
      resolve({ status: Number(status), version, redirect, exit, body: at < 0 ? '' : stdout.slice(0, at) })
    })
  })
}
