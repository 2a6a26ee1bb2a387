import { basename, dirname, resolve, sep } from 'node:path'

/** `ovn-northd.log`, `ovn-northd.log.2.gz`, `ovn-northd.log-20261124`: all are ovn-northd's. */
function componentOf(path: string): string {
  return basename(path).replace(/(\.log)?([.-]\d+)?(\.gz)?$/, '')
}

/**
 * What the records of each file are said to be of. Files of the same name in different folders are told apart by their
 * folders: `gw1/ovn-controller`, `hv1/ovn-controller`; older files of one log are not.
 */
export function componentsOf(paths: readonly string[]): string[] {
  const folders = new Map<string, Set<string>>()
  for (const path of paths) {
    const name = componentOf(path)
    folders.set(name, (folders.get(name) ?? new Set()).add(dirname(resolve(path))))
  }
  return paths.map((path) => {
    const name = componentOf(path)
    const of = folders.get(name) ?? new Set()
    const own = dirname(resolve(path)).split(sep)
    if (of.size < 2) return name
    // As many folders as it takes for no two to be the same.
    const last = (folder: string, n: number) => folder.split(sep).slice(-n).join('/')
    let n = 1
    while (n < own.length && new Set([...of].map((f) => last(f, n))).size < of.size) n++
    return `${last(own.join(sep), n)}/${name}`
  })
}
