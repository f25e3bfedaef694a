// A browser that nobody has used yet.
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import type { Browser, Page, Response } from 'playwright-core'

/** Null where there is none. */
export const chromiumProgram: string | null =
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync) ?? null

/** `env`: of a user whose home is a test's own, for what is read from there. */
export async function launchChromium(
  env: Readonly<Record<string, string>> | null = null,
  furtherArgs: readonly string[] = [],
): Promise<Browser> {
  return await chromium.launch({
    executablePath: chromiumProgram ?? '',
    ...(env === null ? {} : { env: { ...env } }),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-quic',
      ...furtherArgs,
    ],
  })
}

/** Rejects with Chromium's own error (`ERR_CERT_…`) when it does not show the page. */
export async function visit(page: Page, url: string): Promise<Response | null> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await page.goto(url)
    } catch (error) {
      // Other tests make networks for containers, which Chromium takes for a change of its own.
      if (attempt === 10 || !String(error).includes('ERR_NETWORK_CHANGED')) throw error
    }
  }
}

/** The title of a page, as a browser of that user shows it. Rejects as `visit` does. */
export async function titleOf(
  url: string,
  env: Readonly<Record<string, string>>,
  furtherArgs: readonly string[] = [],
): Promise<string> {
  const browser = await launchChromium(env, furtherArgs)
  try {
    const page = await browser.newPage()
    await visit(page, url)
    return await page.title()
  } finally {
    await browser.close()
  }
}
