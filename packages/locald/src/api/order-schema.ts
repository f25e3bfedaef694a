// Checks the body of an order.
import { z } from 'zod'
import { LocaldError } from '@locald/protocol'
import type { OrderRequest } from '@locald/protocol'

/** The system passes texts that end at a zero byte, each a name, "=" and a value. */
const variables = z.record(
  z.string().refine((name) => name !== '' && !name.includes('=') && !hasZero(name), { error: 'Not a name' }),
  z.string().refine((value) => !hasZero(value), { error: 'Expected a value without a zero byte' }),
)
const path = z.string().refine((text) => text.startsWith('/') && !hasZero(text), { error: 'Expected an absolute path' })

const orderSchema = z.object({
  kind: z.enum(['up', 'start', 'stop', 'restart']),
  order: z.string().regex(/^[A-Za-z0-9_-]{8,64}$/),
  services: z.array(z.string().min(1)).max(1000),
  dir: path.optional(),
  file: path.optional(),
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
    const faults = parsed.error.issues.map(({ path: at, message }) => [...at.map(String), message].join(': '))
    throw new LocaldError('request_invalid', `Cannot read the order: ${faults.join('; ')}`)
  }
  return Object.fromEntries(
    Object.entries(parsed.data).filter(([, value]) => value !== undefined),
  ) as unknown as OrderRequest
}

function hasZero(text: string): boolean {
  return text.includes('\0')
}
