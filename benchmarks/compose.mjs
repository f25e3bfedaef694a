// The same services under `docker compose up --wait`.

const candidates = [['docker', 'compose'], ['docker-compose']]

/** Null when there is none. */
export async function composeCommand(installation) {
  for (const [program, ...args] of candidates) {
    const { code, stdout } = await installation
      .run(program, [...args, 'version', '--short'])
      .catch(() => ({ code: 127, stdout: '' }))
    if (code === 0) return { program, args, version: stdout.trim() }
  }
  return null
}

/** Milliseconds from each service's mark in `data/NAME.at` to the start of its dependent, which is a container, too. */
export async function composeReactions({ installation, compose, services, pairs, rounds }) {
  const project = installation.project('', { 'compose.yaml': JSON.stringify({ services }) })
  const run = async (program, ...args) => {
    const { code, stdout, stderr } = await installation.run(program, args, project.root)
    if (code !== 0) throw new Error(`"${program} ${args.join(' ')}" exited ${code}:\n${stdout}${stderr}`)
    return stdout.trim()
  }
  const all = []
  for (let n = 0; n < rounds; n += 1) {
    for (const [web] of pairs) project.forget(`data/${web}.at`)
    try {
      await run(compose.program, ...compose.args, 'up', '--detach', '--wait')
      for (const [web, after] of pairs) {
        const id = await run(compose.program, ...compose.args, 'ps', '--quiet', after)
        const startedAt = Date.parse(await run('docker', 'inspect', '--format', '{{.State.StartedAt}}', id))
        await appeared(project, `data/${web}.at`)
        all.push(startedAt - project.touched(`data/${web}.at`))
      }
    } finally {
      await run(compose.program, ...compose.args, 'down', '--timeout', '0')
    }
  }
  return all
}

/** It may have waited for less than the service needs. */
async function appeared(project, name) {
  while (!project.exists(name)) await new Promise((resolve) => setTimeout(resolve, 50))
}
