import { createSocket } from 'node:dgram'
import { expect, it } from 'vitest'
import { patternLayout } from '../vlog/pattern.ts'
import { SyslogAppender, syslogAddress, syslogMethod, syslogTarget } from './syslog.ts'

it.each([
  ['libc', { kind: 'unix', path: '/dev/log' }],
  ['null', 'null'],
  ['unix:/run/log', { kind: 'unix', path: '/run/log' }],
  ['udp:127.0.0.1:514', { kind: 'udp', host: '127.0.0.1', port: 514 }],
  ['udp:[::1]:514', { kind: 'udp', host: '::1', port: 514 }],
  ['udp:127.0.0.1', undefined],
  ['tcp:127.0.0.1:514', undefined],
  ['unix:', undefined],
])('--syslog-method %s', (text, target) => expect(syslogMethod(text)).toEqual(target))

it.each([
  ['/dev/log', { kind: 'unix', path: '/dev/log' }],
  ['@log', { kind: 'unix', path: '@log' }],
  ['logs.example:514', { kind: 'udp', host: 'logs.example', port: 514 }],
  ['udp:logs.example:514', { kind: 'udp', host: 'logs.example', port: 514 }],
  ['tcp:[::1]:601', { kind: 'tcp', host: '::1', port: 601 }],
  ['tls:h:1', undefined],
  ['log', undefined],
])('syslog_address = %s', (text, target) => expect(syslogAddress(text)).toEqual(target))

it('refuses ports that are none', () => expect(syslogTarget('h:70000')).toBeUndefined())

it('sends a datagram a line, with facility and severity', async () => {
  const server = createSocket('udp4')
  const got: string[] = []
  const arrived = new Promise<void>((resolve) => {
    server.on('message', (bytes) => {
      if (got.push(bytes.toString()) === 2) resolve()
    })
  })
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
  const head = patternLayout('<%B>%D{%b %e %H:%M:%S} %E %A: ', { hostname: 'h', pid: 1, facility: () => 16 })
  const appender = new SyslogAppender({ kind: 'udp', host: '127.0.0.1', port: server.address().port }, head)
  const time = Date.UTC(2026, 10, 4, 8, 38, 31)
  appender.append('one\ntwo', {
    ...{ time, level: 'warn', component: 'ovn-northd', module: 'm', message: '' },
    ...{ fields: undefined, serial: 1, elapsed: 0 },
  })
  await arrived
  appender.close()
  server.close()
  expect(got.toSorted()).toEqual(['<132>Nov  4 08:38:31 h ovn-northd: one', '<132>Nov  4 08:38:31 h ovn-northd: two'])
})
