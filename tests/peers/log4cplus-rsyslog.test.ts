import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Level } from '../../src/base/log.ts'
import { Log4cplusBackend } from '../../src/logging/log4cplus/backend.ts'
import { parseLog4cplus } from '../../src/logging/log4cplus/config.ts'
import { sleep } from './ovsdb-lab.ts'
import { Rsyslog, withoutRsyslog } from './rsyslog.ts'

// What SysLogAppender sends, as a real rsyslogd understands it; it goes away and comes back.

const reason = withoutRsyslog()
if (reason) console.log(`skipped: ${reason}`)

const dir = mkdtempSync(join(tmpdir(), 'log4cplus-rsyslog-'))
let rsyslog: Rsyslog

function backend(udp: boolean): { log: (level: Level, message: string, time: number) => void; close: () => void } {
  const text = `log4cplus.rootLogger=DEBUG, A
log4cplus.appender.A=log4cplus::SysLogAppender
log4cplus.appender.A.ident=ovn
log4cplus.appender.A.facility=local3
log4cplus.appender.A.host=127.0.0.1
log4cplus.appender.A.port=${udp ? rsyslog.udp : rsyslog.tcp}
log4cplus.appender.A.udp=${udp}
log4cplus.appender.A.layout=log4cplus::PatternLayout
log4cplus.appender.A.layout.ConversionPattern=%p %c - %m`
  const config = parseLog4cplus(text, 'f', {
    ...{ hostname: 'hv1', pid: 7, environment: () => undefined, include: () => undefined },
  })
  if (!config.ok) throw new Error(config.error)
  const made = new Log4cplusBackend(config.value, {
    ...{ component: 'ovn-northd', hostname: 'hv1', pid: 7, now: () => 0, resolve: (p) => p, onTrouble() {} },
  })
  return {
    log: (level, message, time) =>
      made.write({
        ...{ level, message, time, component: 'ovn-northd', module: 'lflow', fields: undefined, serial: 1, elapsed: 0 },
      }),
    close: () => made.close(),
  }
}

describe.skipIf(reason !== undefined)('a real rsyslogd', () => {
  beforeAll(async () => {
    rsyslog = await Rsyslog.in(dir)
  })

  afterAll(async () => {
    await rsyslog?.stop()
    rmSync(dir, { recursive: true })
  })

  test.each([
    ['udp', true],
    ['tcp', false],
  ] as const)('%s', async (input, udp) => {
    const levels = { emer: 'crit', err: 'err', warn: 'warning', info: 'info', dbg: 'debug' } as const
    const { log, close } = backend(udp)
    for (const level of Object.keys(levels) as Level[]) {
      log(level, `${input} ${level} "é"`, 1_795_382_998_000)
      await rsyslog.until(`${input} ${level}`)
    }
    expect(rsyslog.received().filter((r) => r.input === input && r.text.includes(`- ${input}`))).toEqual(
      Object.entries(levels).map(([level, severity], i) => ({
        ...{ input, priority: `local3.${severity}`, program: 'ovn' },
        text: `${['FATAL', 'ERROR', 'WARN', 'INFO', 'DEBUG'][i]} ovn-northd.lflow - ${input} ${level} "é"`,
      })),
    )
    await rsyslog.stop()
    // Nobody listens: nothing waits, and what comes then is lost.
    for (let i = 0; i < 5; i++) {
      log('info', `${input} lost`, 1_795_383_000_000 + i)
      await sleep(20)
    }
    await rsyslog.start()
    const end = Date.now() + 60_000
    let time = 1_795_383_100_000
    while (!rsyslog.received().some((r) => r.text.endsWith(`${input} again`)) && Date.now() < end) {
      time += 2000
      log('info', `${input} again`, time)
      await sleep(50)
    }
    await rsyslog.until(`${input} again`)
    close()
  })
})
