// Routes of the registry of projects.
import type { Hono } from 'hono'
import { z } from 'zod'
import { LocaldError } from '@locald/protocol'
import type { PinRequest, RegistryEntry, RegistryList } from '@locald/protocol'

/** What they need of the daemon. */
export interface RegistryControl {
  list(): RegistryList
  pin(request: PinRequest): Promise<RegistryEntry>
  /** Forgets projects that are gone from the disk; answers with them. */
  clean(): Promise<RegistryList>
  /** The same for one project, by its id, wherever its configuration is; answers with it, or with none. */
  forget(id: string): Promise<RegistryList>
}

const forgetSchema = z.object({ project: z.string().min(1) })

const pinSchema = z.object({
  project: z.string().min(1).optional(),
  dir: z.string().startsWith('/').optional(),
  file: z.string().startsWith('/').optional(),
  pinned: z.boolean(),
})

/** Adds them to this version of the API. */
export function addRegistryRoutes(api: Hono, registry: RegistryControl): void {
  api.get('/registry', (c) => c.json(registry.list()))
  api.post('/registry/pin', async (c) => c.json(await registry.pin(parsePin(await c.req.text()))))
  api.post('/registry/clean', async (c) => c.json(await registry.clean()))
  api.post('/registry/forget', async (c) => c.json(await registry.forget(parseForget(await c.req.text()))))
}

/** Throws `request_invalid`. Fields of a newer client are passed over. */
function parsePin(body: string): PinRequest {
  const parsed = pinSchema.safeParse(parseJson(body))
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new LocaldError('request_invalid', `Cannot read what to pin: ${faults.join('; ')}`)
  }
  const { project, dir, file, pinned } = parsed.data
  return {
    pinned,
    ...(project === undefined ? {} : { project }),
    ...(dir === undefined ? {} : { dir }),
    ...(file === undefined ? {} : { file }),
  }
}

function parseForget(body: string): string {
  const parsed = forgetSchema.safeParse(parseJson(body))
  if (parsed.success) return parsed.data.project
  throw new LocaldError('request_invalid', 'Cannot read which project to forget: "project" is its id')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new LocaldError('request_invalid', 'Cannot read the request: its body is not JSON', { cause })
  }
}
