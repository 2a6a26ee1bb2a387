import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// A benchmark is bundled elsewhere and runs from the project's folder.
const beside = fileURLToPath(new URL('./reference-ovn', import.meta.url))
const script = existsSync(beside) ? beside : 'tests/peers/reference-ovn'

export type Release = '26.03' | '25.03' | '23.03'

/** The folder of the real programs of a release, unpacked at first use. */
export function referenceBin(release: Release = '26.03'): string {
  return execFileSync('bash', [script, 'bin', release], { encoding: 'utf8' }).trim()
}

/** The path of a real schema file: `ovn-nb`, `ovn-sb` or `vswitch`. */
export function referenceSchema(name: 'ovn-nb' | 'ovn-sb' | 'vswitch', release: Release = '26.03'): string {
  return execFileSync('bash', [script, 'schema', release, name], { encoding: 'utf8' }).trim()
}
