// What to call a project among others, some of which may have its name: every worktree of a repository has it.

export interface LabelledProject {
  readonly id: string
  readonly name: string
  readonly root: string
  readonly file: string
}

/** `shop`; `shop (/src/shop)` where another one of these has the same name, with the file where the directory is the same, too. */
export function projectLabel(project: LabelledProject, all: readonly LabelledProject[]): string {
  const { id, name, root, file } = project
  const namesakes = all.filter((other) => other.id !== id && other.name === name)
  if (namesakes.length === 0) return name
  return `${name} (${namesakes.some((other) => other.root === root) ? file : root})`
}
