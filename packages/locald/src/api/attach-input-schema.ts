// Checks the body of what somebody types.
import { z } from 'zod'
import { LocaldError } from '@locald/protocol'
import type { AttachInput } from '@locald/protocol'

/** More than anybody types or pastes at once; a client sends the rest in further requests. */
const mostBytes = 256 * 1024
const cells = z.int().min(1).max(10_000)

const inputSchema = z.object({
  dir: z.string().startsWith('/').optional(),
  file: z.string().startsWith('/').optional(),
  service: z.string().min(1),
  client: z.string().min(8).max(64),
  seq: z.int().nonnegative(),
  run: z.int().nonnegative(),
  data: z.base64().max(Math.ceil(mostBytes / 3) * 4),
  size: z.object({ cols: cells, rows: cells }).nullable(),
  reply: z.boolean().optional(),
  again: z.boolean().optional(),
})

/** Throws `request_invalid`. Fields of a newer client are passed over. */
export function parseAttachInput(body: unknown): AttachInput {
  const parsed = inputSchema.safeParse(body)
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new LocaldError('request_invalid', `Cannot read the input: ${faults.join('; ')}`)
  }
  const { dir, file, reply, again, ...rest } = parsed.data
  return {
    ...rest,
    ...(dir === undefined ? {} : { dir }),
    ...(file === undefined ? {} : { file }),
    ...(reply === undefined ? {} : { reply }),
    ...(again === undefined ? {} : { again }),
  }
}
