import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// A benchmark is bundled elsewhere and runs from the project's folder.
const beside = fileURLToPath(new URL('./reference-ovn', import.meta.url))
const script = existsSync(beside) ? beside : 'tests/peers/reference-ovn'

export type Release = '26.03' | '25.03' | '23.03'

const answers = new Map<string, string>()
/** Each question is asked once a test file: the answers do not change, and a shell takes its time on a busy machine. */
function ask(...question: string[]): string {
  const key = question.join(' ')
  const answer = answers.get(key) ?? execFileSync('bash', [script, ...question], { encoding: 'utf8' }).trim()
  answers.set(key, answer)
  return answer
}

/** The folder of the real programs of a release, unpacked at first use. */
export function referenceBin(release: Release = '26.03'): string {
  return ask('bin', release)
}

/** The path of a real schema file: `ovn-nb`, `ovn-sb` or `vswitch`. */
export function referenceSchema(name: 'ovn-nb' | 'ovn-sb' | 'vswitch', release: Release = '26.03'): string {
  return ask('schema', release, name)
}
