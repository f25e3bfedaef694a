// Whether the engine answers that services with an `image` would run in.
import { fine, note } from '../../admin/doctor/verdict.ts'
import type { Verdict } from '../../admin/doctor/verdict.ts'
import { engineAddress } from '../../container/engine-address.ts'
import { openEngine } from '../../container/engine.ts'

export async function checkDocker(env: Readonly<Record<string, string | undefined>>): Promise<Verdict> {
  try {
    const address = await engineAddress(env)
    const engine = await openEngine(address)
    await engine.ping()
    return fine(`The container engine at ${address.url} answers`)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const explanation = `Only services with an "image" need one. It said: ${reason}`
    return note('No container engine answers', { explanation, fix: 'sudo systemctl start docker' })
  }
}
