export async function configShow(): Promise<number> {
  return 1
}
