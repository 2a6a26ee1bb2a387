import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { LogEvent } from '../../src/logging/event.ts'
import { recordOf } from '../../src/logging/oslo/corpus.ts'

const python = ['python3', '/usr/bin/python3'].find(
  (p) => spawnSync(p, ['-c', 'import oslo_log, systemd.journal']).status === 0,
)
if (!python) console.warn("skipped: Debian's python3-oslo.log or python3-systemd is not installed")

const root = mkdtempSync(join(tmpdir(), 'oslo-syslog-'))
afterAll(() => rmSync(root, { recursive: true }))

const START = Date.UTC(2026, 10, 24, 8, 38, 31, 0)

const EVENTS: LogEvent[] = (
  [
    ['info', '', 'listening on port 6641', undefined],
    ['dbg', 'lflow', 'nothing', undefined],
    ['warn', 'lflow', 'two\nlines é', { request_id: 'req-1' }],
    ['err', 'binding', 'x'.repeat(300), undefined],
    ['emer', '', '', undefined],
  ] as const
).map(([level, module, message, fields], i) => ({
  ...{
    time: START + i * 250,
    level,
    component: 'ovn-northd',
    module,
    message,
    fields,
    serial: i + 1,
    elapsed: i * 250,
  },
}))

const TEXTS = [
  'use_syslog=true',
  'use_syslog=true\nsyslog_log_facility=LOG_LOCAL3\ndebug=true',
  'use_syslog=yes\nsyslog_log_facility=daemon\nuse_json=true',
  'use_journal=true\ndebug=true',
  'use_journal=true\nuse_syslog=true\nuse_json=true',
].map((lines) => `[DEFAULT]\n${lines}\n`)

type Sockets = Readonly<Record<'/dev/log' | '/run/systemd/journal/socket', string[]>>

function received(command: readonly string[], input: unknown): Sockets {
  const r = spawnSync(python ?? '', [join(import.meta.dirname, 'oslo-syslog.py'), ...command], {
    ...{ input: JSON.stringify(input), encoding: 'utf8', env: { ...process.env, TZ: 'UTC' }, timeout: 150_000 },
  })
  if (r.status !== 0) throw new Error(r.stderr)
  const sockets = JSON.parse(r.stdout) as Sockets
  const plain = (messages: string[]) => messages.map((m) => Buffer.from(m, 'base64').toString('latin1'))
  return {
    '/dev/log': plain(sockets['/dev/log']),
    '/run/systemd/journal/socket': plain(sockets['/run/systemd/journal/socket']),
  }
}

describe.skipIf(!python)('the same datagrams as oslo.log', () => {
  it('to syslog and to the journal', () => {
    const program = join(root, 'ovn-northd')
    copyFileSync(resolve('src/logging/oslo/corpus.py'), program)
    const events = EVENTS.map((e) => recordOf(e, 4242))
    const cases = TEXTS.map((text, i) => {
      const dir = join(root, String(i))
      mkdirSync(dir)
      writeFileSync(`${dir}.conf`, text)
      return { file: `${dir}.conf`, dir, events, start: START / 1000 }
    })
    const theirs = received([python ?? '', program], cases)
    const ours = received([resolve('node_modules/.bin/tsx'), join(import.meta.dirname, 'oslo-syslog.ts')], {
      ...{ texts: TEXTS, events: EVENTS },
    })
    // syslog(3) has no clock but the machine's.
    const timeless = (m: string) => m.replace(/^(<\d+>)[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d /, '$1TIME ')
    expect(ours['/dev/log'].map(timeless)).toEqual(theirs['/dev/log'].map(timeless))
    expect(ours['/dev/log'].length).toBe(4 + 5 + 4 + 4)
    // oslo.log sends eight times the facility.
    const facility = (m: string) => m.replace(/^SYSLOG_FACILITY=(\d+)$/m, (_, n) => `SYSLOG_FACILITY=${Number(n) / 8}`)
    expect(ours['/run/systemd/journal/socket']).toEqual(theirs['/run/systemd/journal/socket'].map(facility))
    expect(ours['/run/systemd/journal/socket'].length).toBe(5 + 4)
  })
})
