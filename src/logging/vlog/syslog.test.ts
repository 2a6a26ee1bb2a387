import { createSocket } from 'node:dgram'
import { expect, it } from 'vitest'
import { vlogSyslog } from './syslog.ts'

/** What arrives of one event, by UDP in the place of the others: first by --syslog-method, then by --syslog-target. */
async function sent(libc: boolean, facility: number | undefined, level: 'info' | 'err', count: number) {
  const server = createSocket('udp4')
  const got: string[] = []
  server.on('message', (bytes) => got.push(bytes.toString()))
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
  const to = { kind: 'udp' as const, host: '127.0.0.1', port: server.address().port }
  const appender = vlogSyslog({
    ...{ method: to, target: to, libc, hostname: 'vm', pid: 42 },
    facility: () => facility,
  })
  const time = new Date(2026, 10, 4, 12, 51, 57, 334).getTime()
  appender?.append('ovs|00001|vlog|X|a line', {
    ...{ time, level, component: 'ovsdb-server', module: 'vlog', message: 'one\ntwo', fields: undefined },
    ...{ serial: 1, elapsed: 0 },
  })
  for (let i = 0; i < 3000 && got.length < count; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  appender?.close()
  server.close()
  return { got: got.toSorted(), time: new Date(time).toISOString() }
}

// As the real ovsdb-server of release 26.03 sent them.
it('sends bare lines, RFC 5424 to a target, and information as a notice', async () => {
  const { got, time } = await sent(false, undefined, 'info', 3)
  expect(got).toEqual([
    `<133>1 ${time} vm ovsdb-server 42 vlog - \u{feff}one`,
    `<133>1 ${time} vm ovsdb-server 42 vlog - \u{feff}two`,
    '<29>ovs|00001|vlog|X|a line',
  ])
})

it('gives libc’s form to the machine’s own daemon, and both the facility that is set', async () => {
  const { got, time } = await sent(true, 20, 'err', 3)
  expect(got).toEqual([
    `<163>1 ${time} vm ovsdb-server 42 vlog - \u{feff}one`,
    `<163>1 ${time} vm ovsdb-server 42 vlog - \u{feff}two`,
    '<163>Nov  4 12:51:57 ovsdb-server: ovs|00001|vlog|X|a line',
  ])
})

it('is none where lines go nowhere', () => {
  const nowhere = { method: undefined, target: undefined, libc: true, hostname: 'vm', pid: 42 }
  expect(vlogSyslog({ ...nowhere, facility: () => 1 })).toBeUndefined()
})
