import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const here = fileURLToPath(new URL('.', import.meta.url))
const scenarios = join(here, '..', 'scenarios')
const northd = join(here, '..', '..', 'bin', 'ovn-northd')

// Every southbound row of every scenario, at each of its checks, is the one the real northd writes.
describe.sequential('northd beside the real one', { timeout: 600_000 }, () => {
  for (const file of readdirSync(scenarios)
    .filter((f) => f.endsWith('.nbctl'))
    .sort()) {
    it(basename(file, '.nbctl'), () => {
      const r = spawnSync(process.execPath, [join(here, 'compare-northd'), '--northd', northd, join(scenarios, file)], {
        encoding: 'utf8',
        maxBuffer: 1 << 28,
      })
      expect(r.status, `${r.stdout}\n${r.stderr}`).toBe(0)
      expect(r.stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m)
    })
  }
})
