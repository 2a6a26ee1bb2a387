import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../src/base/clock.ts'
import { Logging, loadLogging } from '../src/logging/index.ts'

// The configuration files that docs/LOGGING.md shows: the first line of each is its name.
const blocks = [
  ...readFileSync('docs/LOGGING.md', 'utf8').matchAll(/^```(?:ini|properties)\n# (\S+)\n([\s\S]*?)^```/gm),
]
const files = blocks.map(([, name, text]) => ({ name: name ?? '', text: text ?? '' }))
const configurations = files.flatMap((file, i) => {
  const next = files[i + 1]
  return file.name === 'logging.ini' ? [next && next.name !== 'logging.ini' ? [file, next] : [file]] : []
})

let dir = ''
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('the examples of docs/LOGGING.md', () => {
  it('are one for each dialect', () => {
    expect(configurations.map((c) => c.map((f) => f.name).join())).toEqual([
      'logging.ini',
      'logging.ini,python.conf',
      'logging.ini,oslo.conf',
      'logging.ini,log4cplus.properties',
    ])
  })

  it.each(configurations.map((c) => [c.at(-1)?.name ?? '', c] as const))('%s logs', async (_, example) => {
    dir = mkdtempSync(join(tmpdir(), 'logging-'))
    for (const { name, text } of example)
      writeFileSync(join(dir, name), text.replace(/\/(?:etc\/ovn|var\/log\/ovn|dev)\b/g, dir))
    const loaded = await loadLogging(join(dir, 'logging.ini'), {
      ...{ component: 'ovn-northd', hostname: 'host', pid: 42, now: () => 0, resolve: (p: string) => resolve(dir, p) },
      // Nobody is at its socket of syslog.
      onTrouble: (message) => expect(message).toContain('cannot send log'),
    })
    if (!loaded.ok) throw new Error(loaded.error)
    expect(loaded.value.warnings).toEqual([])
    const hub = new Logging('ovn-northd', new VirtualClock(0), [loaded.value.backend])
    hub.log('lflow').warn('what it says')
    hub.close()
    expect(readFileSync(join(dir, 'ovn-northd.log'), 'utf8')).toMatch(/lflow.*what it says\n$/)
  })
})
