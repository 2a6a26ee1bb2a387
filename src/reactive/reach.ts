/**
 * reach: everything that can be come to from the roots over edges. Called from within a rule, the
 * edges it reads are recorded, so the closure is redone when one of them changes, and no other is.
 */
export function reach(
  roots: Iterable<string>,
  edges: (node: string) => Iterable<string>,
  limit = Number.POSITIVE_INFINITY,
): Map<string, number> {
  const depth = new Map<string, number>()
  let frontier: string[] = []
  for (const root of roots) {
    if (!depth.has(root)) {
      depth.set(root, 0)
      frontier.push(root)
    }
  }
  for (let d = 1; frontier.length && d <= limit; d++) {
    const next: string[] = []
    for (const node of frontier) {
      for (const to of edges(node)) {
        if (depth.has(to)) continue
        depth.set(to, d)
        next.push(to)
      }
    }
    frontier = next
  }
  return depth
}
