// Routes of the aliases.
import type { Hono } from 'hono'
import { z } from 'zod'
import { LocaldError } from '@locald/protocol'
import type { AliasEntry } from '@locald/protocol'

/** What they need of the daemon. */
export interface AliasControl {
  list(): Promise<readonly AliasEntry[]>
  set(host: string, port: number): Promise<AliasEntry>
  /** False when there is none of that name. */
  remove(host: string): Promise<boolean>
}

const setSchema = z.object({ host: z.string(), port: z.int().min(1).max(65_535) })
const removeSchema = z.object({ host: z.string() })

/** Adds them to this version of the API. */
export function addAliasRoutes(api: Hono, aliases: AliasControl): void {
  api.get('/aliases', async (c) => c.json({ aliases: await aliases.list() }))
  api.post('/aliases', async (c) => {
    const { host, port } = parse(setSchema, await c.req.text())
    return c.json({ alias: await aliases.set(host, port) })
  })
  api.post('/aliases/remove', async (c) => {
    const { host } = parse(removeSchema, await c.req.text())
    return c.json({ removed: await aliases.remove(host) })
  })
}

function parse<T>(schema: z.ZodType<T>, body: string): T {
  try {
    return schema.parse(JSON.parse(body))
  } catch (cause) {
    throw new LocaldError('request_invalid', 'Cannot read the alias: it needs a host, and a port to make one', {
      cause,
    })
  }
}
