// Shows an address in the user's browser, where there is one.
import { spawn } from 'node:child_process'

type Env = Readonly<Record<string, string | undefined>>

/** It starts the browser and ends; one that stays is the browser itself. */
const startedWithinMs = 3_000

/** False when there is no browser to be had here. */
export async function openBrowser(url: string, env: Env, platform = process.platform): Promise<boolean> {
  for (const [program, ...args] of openersFor(env, platform)) {
    if (program !== undefined && (await starts(program, [...args, url], env))) return true
  }
  return false
}

/** `BROWSER` is a list of commands; of the others, those that the system has. */
function openersFor(env: Env, platform: NodeJS.Platform): readonly (readonly string[])[] {
  const own = (env['BROWSER'] ?? '').split(':').filter((command) => command.trim() !== '')
  const named = own.map((command) => command.trim().split(/\s+/))
  if (platform === 'darwin') return [...named, ['open']]
  const hasScreen = [env['DISPLAY'], env['WAYLAND_DISPLAY'], env['WSL_DISTRO_NAME']].some(
    (value) => (value ?? '') !== '',
  )
  return hasScreen ? [...named, ['xdg-open'], ['wslview']] : named
}

async function starts(program: string, args: readonly string[], env: Env): Promise<boolean> {
  return await new Promise((resolve) => {
    const child = spawn(program, args, { detached: true, stdio: 'ignore', env: { ...env } })
    const timer = setTimeout(() => resolve(true), startedWithinMs)
    const settle = (isGood: boolean): void => {
      clearTimeout(timer)
      resolve(isGood)
    }
    child.once('error', () => settle(false))
    child.once('exit', (code) => settle(code === 0))
    child.unref()
  })
}
