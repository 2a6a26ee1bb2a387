import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Case, events } from '../../src/logging/log4cplus/corpus.ts'
import { ours } from '../../src/logging/log4cplus/corpus-run.ts'
import { buildDriver, theirs } from './log4cplus.ts'

// Properties files as operators have them: those of Contrail's collector, and what editors, habits of log4j and haste
// make of such files. The same bytes as the real log4cplus; and what it takes without a word is refused or said.

const root = mkdtempSync(join(tmpdir(), 'log4cplus-found-'))
afterAll(() => rmSync(root, { recursive: true }))
const driver = buildDriver(root)
if (!driver) console.log('skipped: g++ or the headers of log4cplus are missing')

const EVENTS = events({ text: '' }).slice(0, 25)

const PLAIN = `log4cplus.rootLogger=DEBUG, F
log4cplus.appender.F=log4cplus::FileAppender
log4cplus.appender.F.File=@DIR@/x.log
log4cplus.appender.F.layout=log4cplus::PatternLayout
log4cplus.appender.F.layout.ConversionPattern=%p %c - %m%n
`
const COLLECTOR = `# What the collector logs, and where
log4cplus.rootLogger = DEBUG, logfile, syslog
log4cplus.appender.logfile = log4cplus::FileAppender
log4cplus.appender.logfile.File = @DIR@/contrail-collector.log
log4cplus.appender.logfile.Append = true
log4cplus.appender.logfile.ImmediateFlush = true
log4cplus.appender.logfile.MaxFileSize = 1MB
log4cplus.appender.logfile.MaxBackupIndex = 10
log4cplus.appender.logfile.layout = log4cplus::PatternLayout
log4cplus.appender.logfile.layout.ConversionPattern = %D{%Y-%m-%d %a %H:%M:%S:%Q %Z} %h [Thread %t, Pid %i]: %m%n

log4cplus.logger.SANDESH = INFO
log4cplus.logger.ovn-northd = INFO
`
const replaced = (from: string, to: string) => PLAIN.replaceAll(from, to)
const pattern = (text: string) => PLAIN.replace('%p %c - %m%n', text)
const more = (...lines: string[]) => PLAIN + lines.map((l) => `log4cplus.${l}\n`).join('')
const own = (...lines: string[]) => more(...lines.map((l) => `appender.F.${l}`))
const given = (text: string, environment: Record<string, string>): Case => ({ text, environment })

const SAME: Readonly<Record<string, string | Case>> = {
  'a collector, whose syslog is not defined': COLLECTOR,
  'an agent with a rolling file': COLLECTOR.replace('FileAppender', 'RollingFileAppender'),
  "Windows's line ends": replaced('\n', '\r\n'),
  tabs: replaced('=', '\t=\t'),
  'no end of the last line': PLAIN.trimEnd(),
  'a comment behind a path': replaced('x.log', 'x.log # here'),
  'comments of others': `! one\n; two\n// three = 3\n-- four\n${PLAIN}`,
  'a key twice': own('File=@DIR@/y.log'),
  'the root twice': more('rootLogger=ERROR, F'),
  'a category': more('category.ovn-northd=ERROR'),
  'spaces around a level': more('logger.ovn-northd =  ERROR \t'),
  'spaces around names': replaced('DEBUG, F', 'DEBUG , F ,'),
  'a level in small letters': replaced('DEBUG', 'debug'),
  'an appender twice': replaced('DEBUG, F', 'DEBUG, F, F'),
  'a path with spaces and a percent sign': replaced('x.log', 'a b 50%.log'),
  'spaces behind a path': replaced('x.log', 'x.log   '),
  'dollars alone': pattern('%m $ $$ $x %n'),
  'a brace that is open': pattern('%m @{ %n'),
  'a name that is empty': pattern('%m @{} %n'),
  'names that there are and are not': given(pattern('%m @{HOSTX} @{NOPE}%n'), { HOSTX: 'h' }),
  'a name within a name': given(pattern('%m @{A@{B}}%n'), { B: 'C', AC: 'x' }),
  'a name in a key': given(replaced('appender.F.File', 'appender.@{X}.File'), { X: 'F' }),
  'a name in a class': given(replaced('log4cplus::File', 'log4cplus::@{X}'), { X: 'File' }),
  'a name as a level': given(replaced('DEBUG', '@{X}'), { X: 'ERROR' }),
  'a default as the shell has it': pattern('%m @{X:-y}%n'),
  'a name of Java': pattern('@{java.io.tmpdir} %m%n'),
  'a name in an include': given(`include @{X}\n${PLAIN}`, { X: '/nowhere' }),
  'a percent sign at the end': pattern('%m%'),
  'conversions that are none': pattern('%m %y %5 %-z %%%n'),
  widths: pattern('[%-8p][%8p][%.3p][%5.2c][%-5.2c] %m%n'),
  'parts of names': pattern('%c{1} %c{2} %c{0} %c{x} %m%n'),
  'dates by default': pattern('%d %D %d{} %D{} %m%n'),
  'dates by the names of log4j': pattern('%d{ISO8601} %d{ABSOLUTE} %d{yyyy-MM-dd} %m%n'),
  'a date that is open': pattern('%d{%Y %m%n'),
  'a backslash for a line': pattern('%m\\n'),
  'places in the program': pattern('%M %l %F:%L %m%n'),
  contexts: pattern('%X{a} %X{} %X %x %m%n'),
  'the environment in a pattern': given(pattern('%E{HOME2} %E{} %m%n'), { HOME2: '/h' }),
  'another script': pattern('日本 é %m%n'),
  'a switch that is none': own('Append=maybe'),
  'a threshold in small letters': own('Threshold=warn'),
  'a threshold by a key in small letters': own('threshold=WARN'),
  'a threshold with spaces': own('Threshold= WARN '),
  'a size with a space': `${replaced('::File', '::RollingFile')}log4cplus.appender.F.MaxFileSize=1 MB\n`,
  'no layout': PLAIN.replace(/.*layout.*\n/g, ''),
  'additivity in capitals': more('logger.ovn-northd=DEBUG, F', 'additivity.ovn-northd=FALSE'),
  'additivity with spaces': more('logger.ovn-northd=DEBUG, F', 'additivity.ovn-northd= false '),
  'additivity as a number': more('logger.ovn-northd=DEBUG, F', 'additivity.ovn-northd=0'),
  'a dot behind a name': more('logger.ovn-northd.=ERROR'),
  'a logger named root': more('logger.root=ERROR'),
  'an inherited level': more('logger.ovn-northd=INHERITED, F'),
  'no level at all': more('logger.ovn-northd=OFF'),
  'filters with a gap': own('filters.2=log4cplus::spi::DenyAllFilter'),
  'a range that is empty': own(
    ...['filters.1=log4cplus::spi::LogLevelRangeFilter', 'filters.1.LogLevelMin=ERROR', 'filters.1.LogLevelMax=DEBUG'],
  ),
  'a filter of log4j': own('filter.1=org.apache.log4j.varia.LevelRangeFilter', 'filter.1.LevelMin=ERROR'),
  'options of nobody': own('Locale=C', 'BufferedIO=true', 'Encoding=UTF-8', 'ImmediateFlush=maybe'),
  'options of the library': `log4cplus.quietMode=true\nlog4cplus.threadPoolSize=2\nlog4cplus.disableOverride=true\n${PLAIN}`,
  'a key alone, and none': `hello\n=x\n${PLAIN}`,
}

/** log4cplus logs nothing by these, most of them without a word. */
const REFUSED: Readonly<Record<string, readonly [string, RegExp]>> = {
  'a line that goes on': [replaced('DEBUG, F', 'DEBUG, \\\n  F'), /:1: none of the appenders works: \\$/],
  'a comment behind names': [replaced('DEBUG, F', 'DEBUG, F # root'), /:1: none of the appenders works: F#root$/],
  'a prefix in capitals': [replaced('log4cplus.appender', 'LOG4CPLUS.APPENDER'), /none of the appenders works: F$/],
  'another case': [replaced('rootLogger', 'RootLogger'), /rootLogger is missing/],
  'a word of log4j': [replaced('rootLogger', 'rootCategory'), /rootLogger is missing/],
  colons: [replaced('rootLogger=', 'rootLogger:'), /rootLogger is missing/],
  'a layout of log4j': [replaced('PatternLayout', 'HTMLLayout'), /none of the appenders works: F$/],
  'a class in small letters': [replaced('::FileAppender', '::fileappender'), /none of the appenders works: F$/],
  'a class with a dot': [replaced('::FileAppender', '.FileAppender'), /none of the appenders works: F$/],
  'no path': [PLAIN.replace(/.*F\.File=.*\n/, ''), /none of the appenders works: F$/],
}

/** log4cplus ends its program by these. */
const FATAL = ['DEBUG; F', 'DEBUG F', ', F', 'WARNING, F', '10000, F', 'DEBUG#org.apache.Level, F']

describe.skipIf(!driver)('files as operators have them', () => {
  it.each(Object.entries(SAME).map(([name, c], i) => [name, c, i] as const))('%s', (_, c, i) => {
    const zone = process.env['TZ']
    process.env['TZ'] = 'UTC'
    try {
      const one = typeof c === 'string' ? { text: c } : c
      const { complaints, ...expected } = theirs(driver ?? '', one, join(root, `${i}a`), EVENTS)
      const { warnings, ...got } = ours(one, join(root, `${i}b`), EVENTS)
      expect(got).toEqual(expected)
      // Whatever it complains of, we do.
      if (complaints.length) expect(warnings).not.toEqual([])
    } finally {
      if (zone === undefined) delete process.env['TZ']
      else process.env['TZ'] = zone
    }
  })

  it.each(Object.entries(REFUSED))('refused: %s', (name, [text, reason]) => {
    const { files, out } = theirs(driver ?? '', { text }, join(root, `${name}a`), EVENTS)
    expect([...Object.values(files), out].join('')).toBe('')
    expect(() => ours({ text }, join(root, `${name}b`), EVENTS)).toThrow(reason)
  })

  it.each(FATAL)('fatal to log4cplus: %s', (assignment) => {
    const text = PLAIN.replace('DEBUG, F', assignment)
    expect(() => theirs(driver ?? '', { text }, join(root, `${assignment[0]}a`), EVENTS)).toThrow(
      /Unrecognized log level/,
    )
    expect(() => ours({ text }, join(root, `${assignment[0]}b`), EVENTS)).toThrow(
      /:1: rootLogger: Unrecognized log level/,
    )
  })
})
