// Checks the body of an order.
import { z } from 'zod'
import { LocaldError } from '@locald/protocol'
import type { OrderRequest } from '@locald/protocol'

const variables = z.record(z.string().min(1), z.string())

const orderSchema = z.object({
  kind: z.enum(['up', 'start', 'stop', 'restart']),
  order: z.string().regex(/^[A-Za-z0-9_-]{8,64}$/),
  services: z.array(z.string().min(1)).max(1000),
  dir: z.string().startsWith('/').optional(),
  file: z.string().startsWith('/').optional(),
  shell_env: variables.optional(),
  env: variables.optional(),
  timeout_ms: z.number().positive().optional(),
  restart: z.boolean().optional(),
  now: z.boolean().optional(),
})

/** Throws `request_invalid`. Fields of a newer client are passed over. */
export function parseOrder(body: unknown): OrderRequest {
  const parsed = orderSchema.safeParse(body)
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new LocaldError('request_invalid', `Cannot read the order: ${faults.join('; ')}`)
  }
  return Object.fromEntries(
    Object.entries(parsed.data).filter(([, value]) => value !== undefined),
  ) as unknown as OrderRequest
}
