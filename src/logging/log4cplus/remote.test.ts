import { createSocket } from 'node:dgram'
import { expect, it } from 'vitest'
import type { LogEvent } from '../event.ts'
import { Log4cplusBackend } from './backend.ts'
import { parseLog4cplus } from './config.ts'
import { binaryMessage, xmlMessage } from './remote.ts'

const event: LogEvent = {
  ...{ time: 1_790_000_000_123.456, level: 'warn', component: 'ovn-northd', module: 'lflow' },
  ...{ message: 'hello', fields: undefined, serial: 1, elapsed: 0 },
}

// Bytes of log4cplus 2.0.8, beside which tests/peers/log4cplus.test.ts compares ours.

it('writes an event as XML', () => {
  expect(Buffer.from(xmlMessage(42)('a <b> & "q" \'a\' é\t\x01\x7f\n', event)).toString()).toBe(
    '<log4j:event logger="ovn-northd.lflow" level="WARN" timestamp="1790000000123" thread="42">' +
      '<log4j:message>a &lt;b&gt; &amp; &quot;q&quot; &apos;a&apos; é&#x09;&#x01;&#x7f;&#x0a;</log4j:message>' +
      '<log4j:NDC></log4j:NDC><log4j:locationInfo class="" file="" method="" line="-1"/></log4j:event>',
  )
})

it('writes an event as log4cplus servers read it', () => {
  expect(Buffer.from(binaryMessage('srv', 42)('', event)).toString('latin1')).toBe(
    '\x00\x00\x00H\x03\x01\x00\x00\x00\x03srv\x00\x00\x00\x10ovn-northd.lflow\x00\x00u0\x00\x00\x00\x00' +
      '\x00\x00\x00\x05hello\x00\x00\x00\x0242j\xb1;\x80\x00\x01\xe2@\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00',
  )
})

it('finds a syslog server by IPv6, by its address and by a name', async () => {
  const server = createSocket('udp6')
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.bind(0, '::1', () => resolve(true))
  })
  // A machine without IPv6 has nothing to find.
  if (!listening) return
  const got: string[] = []
  server.on('message', (m) => got.push(m.toString()))
  for (const host of ['host=::1', 'host=::1\nlog4cplus.appender.A.IPv6=true']) {
    const text = `log4cplus.rootLogger=DEBUG, A\nlog4cplus.appender.A=log4cplus::SysLogAppender
log4cplus.appender.A.port=${server.address().port}\nlog4cplus.appender.A.${host}\n`
    const around = { hostname: 'hv1', pid: 7 }
    const config = parseLog4cplus(text, 'f', { ...around, environment: () => undefined, include: () => undefined })
    if (!config.ok) throw new Error(config.error)
    expect(config.value.warnings).toEqual([])
    const backend = new Log4cplusBackend(config.value, {
      ...{ ...around, component: 'ovn-northd', now: () => 0, resolve: (p: string) => p, onTrouble() {} },
    })
    const before = got.length
    backend.write(event)
    for (let i = 0; i < 1000 && got.length === before; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(got.at(-1)).toMatch(/^<12>1 .* hv1 {2}7 ovn-northd\.lflow - WARN - hello\n$/)
    backend.close()
  }
  server.close()
})
