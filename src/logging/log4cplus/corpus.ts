// Properties files of the kinds in use, for comparing with the real log4cplus. `@DIR@` is a folder of the test's,
// `@{` a dollar sign and a brace.

import type { Level } from '../../base/log.ts'
import type { LogEvent } from '../event.ts'

export interface Case {
  readonly text: string
  readonly environment?: Readonly<Record<string, string>>
  /** Files that are there before. */
  readonly before?: Readonly<Record<string, string>>
  /** Seconds between two events, where they are not those of the other cases. */
  readonly every?: number
  /** Long messages, to fill files of the least size. */
  readonly long?: boolean
}

/** 2026-11-22 21:29:58, a Sunday. */
export const START = Date.UTC(2026, 10, 22, 21, 29, 58)
export const PID = 4242
export const HOST = 'hv1'

/** Events over nine days: dense at first, then hours and days apart; all levels and several loggers. */
export function events({ every, long }: Case): LogEvent[] {
  const levels: Level[] = ['info', 'dbg', 'warn', 'info', 'err', 'dbg', 'info', 'emer']
  const loggers = [
    ['ovn-northd', ''],
    ['ovn-northd', 'lflow'],
    ['ovn-controller', 'binding'],
    ['ovsdb-server', ''],
    ['ovn-northd', 'lflow.cache'],
  ] as const
  const texts = ['listening on port 6641', 'lsp "e" \\ it\'s', 'two\nlines', 'tab\there', '100% {done} $now', '']
  const fields = [
    undefined,
    { port: 'lsp1' },
    { chassis: 'hv1', port: 'lsp2' },
    { port: 'lsp1', datapath: 7, up: true },
  ]
  return Array.from({ length: long ? 700 : 60 }, (_, i) => {
    const step = every ? i * every * 1000 : i < 20 ? i * 700 : i < 40 ? (i - 19) * 1_500_000 : (i - 35) * 13_000_000
    const [component, module] = loggers[i % loggers.length] as (typeof loggers)[number]
    const time = START + Math.floor(step) + (every ? 0 : (i * 137) % 1000) + (i % 3) / 8
    const message = `${i} ${long ? 'x'.repeat(1000) : texts[i % texts.length]}`
    return {
      ...{ time, level: levels[i % levels.length] as Level, component, module, message },
      ...{ fields: fields[i % fields.length], serial: i + 1, elapsed: time - START },
    }
  }).sort((a, b) => a.time - b.time)
}

const PATTERN = '%D{%Y-%m-%d %H:%M:%S.%q} %-5p %c %m%n'

/** An appender that writes to x.log, by lines of its own and with a layout. */
function appender(kind: string, lines: readonly string[] = [], pattern = PATTERN, name = 'A'): string {
  return [
    `log4cplus.appender.${name}=log4cplus::${kind}`,
    ...lines.map((l) => `log4cplus.appender.${name}.${l}`),
    `log4cplus.appender.${name}.layout=log4cplus::PatternLayout`,
    `log4cplus.appender.${name}.layout.ConversionPattern=${pattern}`,
    '',
  ].join('\n')
}

const ROOT = 'log4cplus.rootLogger=TRACE, A\n'
const X = 'File=@DIR@/x.log'
const Y = 'File=@DIR@/y.log'
const file = (...lines: readonly string[]) => ROOT + appender('FileAppender', [X, ...lines])
const pattern = (text: string) => ROOT + appender('FileAppender', [X], text)
const filters = (...lines: readonly string[]) =>
  file(...lines.map((l) => `filters.${l.replace('=', l.includes('.') ? '=' : '=log4cplus::spi::')}`))
const layout = (kind: string, ...lines: readonly string[]) =>
  [
    `${ROOT}log4cplus.appender.A=log4cplus::FileAppender`,
    `log4cplus.appender.A.${X}`,
    `log4cplus.appender.A.layout=log4cplus::${kind}`,
    ...lines.map((l) => `log4cplus.appender.A.layout.${l}`),
    '',
  ].join('\n')
const two = (loggers: string) =>
  loggers + appender('FileAppender', [X], '%p %c %m%n') + appender('FileAppender', [Y], 'B %p %c %m%n', 'B')
const rolling = (...lines: readonly string[]): Case => ({
  text: ROOT + appender('RollingFileAppender', [X, ...lines]),
  long: true,
})
const daily = (...lines: readonly string[]) => ROOT + appender('DailyRollingFileAppender', [X, ...lines])
const history = (...lines: readonly string[]) => ROOT + appender('TimeBasedRollingFileAppender', [X, ...lines])
const queued = (...lines: readonly string[]) =>
  [
    `${ROOT}log4cplus.appender.A=log4cplus::AsyncAppender`,
    'log4cplus.appender.A.Appender=log4cplus::FileAppender',
    `log4cplus.appender.A.Appender.${X}`,
    'log4cplus.appender.A.Appender.layout=log4cplus::SimpleLayout',
    ...lines.map((l) => `log4cplus.appender.A.${l}`),
    '',
  ].join('\n')

const DENY = '2=DenyAllFilter'
const before = { 'x.log': 'of the day before\n' }
const archives = Object.fromEntries(
  Array.from({ length: 21 }, (_, i) => [`x-2026-11-${String(i + 1).padStart(2, '0')}.log`, 'old\n']),
)

export const CORPUS: Readonly<Record<string, string | Case>> = {
  'a file': file(),
  'a file that is there': { text: file(), before },
  'a file that is continued': { text: file('Append=true'), before },
  'a file that is begun anew': { text: file('Append=false'), before },
  'a file in a folder that is not there': ROOT + appender('FileAppender', ['File=@DIR@/sub/x.log']),
  'a folder that is made': ROOT + appender('FileAppender', ['File=@DIR@/sub/x.log', 'CreateDirs=true']),
  'no file': two('log4cplus.rootLogger=INFO, A, B\n').replace(`log4cplus.appender.A.${X}`, ''),
  'options without effect': file('ImmediateFlush=false', 'BufferSize=100', 'TextMode=Binary', 'ReopenDelay=0', 'No=1'),
  'the documentation’s rolling file': {
    text: [
      'log4cplus.appender.A2=log4cplus::RollingFileAppender',
      'log4cplus.appender.A2.File=@DIR@/x.log',
      'log4cplus.appender.A2.MaxFileSize=10MB',
      'log4cplus.appender.A2.MaxBackupIndex=1',
      'log4cplus.appender.A2.layout=log4cplus::TTCCLayout',
      'log4cplus.appender.A2.layout.ContextPrinting=true',
      'log4cplus.appender.A2.layout.DateFormat=ISO8601',
      'log4cplus.rootLogger=DEBUG, A2',
      'log4cplus.logger.class.of.the.day=INHERITED',
      '',
    ].join('\n'),
  },

  'standard output': ROOT + appender('ConsoleAppender'),
  'standard error': ROOT + appender('ConsoleAppender', ['logToStdErr=true', 'ImmediateFlush=true']),
  'a flag by number': ROOT + appender('ConsoleAppender', ['logToStdErr=1']),
  'a flag that is none': ROOT + appender('ConsoleAppender', ['logToStdErr=yes']),

  'comments, spaces, lines without a meaning': `# a comment\n  # =\n! another\n\ngarbage\n=x\n  ${file()
    .replaceAll('=', ' \t= ')
    .replaceAll('log4cplus.appender', '  log4cplus.appender')}`,
  'carriage returns': file().replaceAll('\n', '\r\n'),
  'a value with = and #': pattern('a=b # %m%n'),
  'no way to continue a line': pattern('%m%n \\\n  %p'),
  'a name that comes twice': `${file()}log4cplus.appender.A.layout.ConversionPattern=second %m%n\n`,
  'the last line has no end': file().trimEnd(),
  include: {
    text: `${ROOT}include @DIR@/more.properties\n`,
    before: { 'more.properties': appender('FileAppender', ['File=@DIR@/x.log']) },
  },
  'include of what is not there': `include @DIR@/nothing.properties\n${file()}`,
  environment: { text: pattern('@{WHO} @{WHO}%m@{NOBODY}%n'), environment: { WHO: 'me' } },
  'environment in names, classes and levels': {
    text: file().replace('TRACE', '@{LEVEL}').replace('FileAppender', '@{KIND}Appender').replace('ConversionP', '@{P}'),
    environment: { LEVEL: 'WARN', KIND: 'File', P: 'ConversionP' },
  },
  'environment that names itself': { text: pattern('@{WHO} %m%n'), environment: { WHO: '<@{WHO}>' } },
  'environment that is empty': { text: pattern('<@{WHO}> %m%n'), environment: { WHO: '' } },
  'a brace that is not closed': { text: pattern('@{WHO} @{%m%n'), environment: { WHO: 'me' } },
  'braces in braces': { text: pattern('@{@{WHO}} @{} %m%n'), environment: { WHO: 'me', me: 'you' } },
  'global settings': `log4cplus.configDebug=false\nlog4cplus.quietMode=false\nlog4cplus.disableOverride=true\nlog4cplus.threadPoolSize=2\n${file()}`,

  'level of the root': file().replace('TRACE', 'WARN'),
  'level in small letters': file().replace('TRACE', 'info'),
  'level ALL': file().replace('TRACE', 'ALL'),
  'level OFF': file().replace('TRACE', 'OFF'),
  'no root': file().replace('rootLogger=TRACE', 'logger.ovn-northd=INFO'),
  'root without appenders': `log4cplus.rootLogger=ERROR\nlog4cplus.logger.ovn-northd=INFO, A\n${appender('FileAppender', [X])}`,
  'an empty root': `log4cplus.rootLogger=\nlog4cplus.logger.ovn-northd=, A\n${appender('FileAppender', [X])}`,
  'commas too many': file().replace('TRACE, A', 'TRACE ,, A ,A,'),
  'a child with its own level and file': two(
    'log4cplus.rootLogger=INFO, A\nlog4cplus.logger.ovn-northd.lflow=DEBUG, B\n',
  ),
  'a child that does not hand on': two(
    'log4cplus.rootLogger=INFO, A\nlog4cplus.logger.ovn-northd=DEBUG, B\nlog4cplus.additivity.ovn-northd=false\n',
  ),
  'no handing on, without a logger': two(
    'log4cplus.rootLogger=INFO, A, B\nlog4cplus.additivity.ovn-northd.lflow=FALSE\nlog4cplus.additivity.ovsdb-server=no\n',
  ),
  'levels inherited': two(
    [
      'log4cplus.rootLogger=ERROR, A',
      'log4cplus.logger.ovn-northd=DEBUG',
      'log4cplus.logger.ovn-northd.lflow=INHERITED, B',
      'log4cplus.logger.ovn-northd.lflow.cache=WARN',
      'log4cplus.logger.ovsdb-server=OFF',
      '',
    ].join('\n'),
  ),
  'a level that is none': two('log4cplus.rootLogger=ERROR, A\nlog4cplus.logger.ovn-northd=SHOUT, B\n'),
  'one appender twice': two('log4cplus.rootLogger=INFO, A\nlog4cplus.logger.ovn-northd=INFO, A\n'),
  'an appender that is not there': file().replace('TRACE, A', 'TRACE, A, B'),
  'an appender of no class': two('log4cplus.rootLogger=INFO, A, B\n').replace('B=log4cplus::File', 'B=log4cplus::Nope'),

  threshold: file('Threshold=WARN'),
  'threshold OFF': file('Threshold=OFF'),
  'a threshold that is none': file('Threshold=SHOUT'),
  'filter: one level': filters('1=LogLevelMatchFilter', '1.LogLevelToMatch=INFO', DENY),
  'filter: not one level': filters('1=LogLevelMatchFilter', '1.LogLevelToMatch=INFO', '1.AcceptOnMatch=false'),
  'filter: no level': filters('1=LogLevelMatchFilter', DENY),
  'filter: levels from to': filters('1=LogLevelRangeFilter', '1.LogLevelMin=INFO', '1.LogLevelMax=ERROR'),
  'filter: levels from to, undecided': filters(
    ...['1=LogLevelRangeFilter', '1.LogLevelMin=INFO', '1.LogLevelMax=ERROR', '1.AcceptOnMatch=false'],
    ...['2=StringMatchFilter', '2.StringToMatch=port', '2.AcceptOnMatch=false'],
  ),
  'filter: levels from': filters('1=LogLevelRangeFilter', '1.LogLevelMin=WARN'),
  'filter: a text': filters('1=StringMatchFilter', '1.StringToMatch=lsp', DENY),
  'filter: not a text': filters('1=StringMatchFilter', '1.StringToMatch=lsp', '1.AcceptOnMatch=false'),
  'filter: an empty text': filters('1=StringMatchFilter', DENY),
  'filter: a chain': filters(
    ...['1=StringMatchFilter', '1.StringToMatch=port', '2=LogLevelMatchFilter', '2.LogLevelToMatch=WARN'],
    '3=DenyAllFilter',
  ),
  'filter: numbers with a gap': filters('1=StringMatchFilter', '1.StringToMatch=port', '3=DenyAllFilter'),
  'filter of no class': `${filters('1=Nope')}${appender('FileAppender', [Y], PATTERN, 'B')}`.replace('E, A', 'E, A, B'),
  'filter: nested context': filters('1=NDCMatchFilter', '1.NDCToMatch=lsp1', DENY),
  'filter: not a nested context': filters('1=NDCMatchFilter', '1.NDCToMatch=lsp1', '1.AcceptOnMatch=false'),
  'filter: a nested context, empty does not count': filters(
    ...['1=NDCMatchFilter', '1.NDCToMatch=lsp1', '1.NeutralOnEmpty=false'],
  ),
  'filter: mapped context': filters('1=MDCMatchFilter', '1.MDCKeyToMatch=port', '1.MDCValueToMatch=lsp1', DENY),
  'filter: not a mapped context': filters(
    ...['1=MDCMatchFilter', '1.MDCKeyToMatch=port', '1.MDCValueToMatch=lsp1', '1.AcceptOnMatch=false'],
  ),
  'filter: a mapped context, empty does not count': filters(
    ...['1=MDCMatchFilter', '1.MDCKeyToMatch=port', '1.MDCValueToMatch=lsp1', '1.NeutralOnEmpty=false'],
  ),

  'no layout': `${ROOT}log4cplus.appender.A=log4cplus::FileAppender\nlog4cplus.appender.A.${X}\n`,
  SimpleLayout: layout('SimpleLayout'),
  TTCCLayout: layout('TTCCLayout'),
  'TTCCLayout with a date': layout('TTCCLayout', 'DateFormat=%H:%M:%S.%Q'),
  'TTCCLayout in UTC': layout('TTCCLayout', 'DateFormat=%d %H:%M:%S %Z', 'Use_gmtime=true'),
  'TTCCLayout, short': layout('TTCCLayout', 'ThreadPrinting=false', 'ContextPrinting=false', 'CategoryPrefixing=0'),
  'no pattern': `${layout('PatternLayout')}${appender('FileAppender', [Y], PATTERN, 'B')}`.replace('E, A', 'E, A, B'),
  'an empty pattern': layout('PatternLayout', 'ConversionPattern='),
  'the old name of the pattern': layout('PatternLayout', 'Pattern=%p %m%n'),
  'all conversions': pattern('%b|%c|%c{1}|%c{2}|%F|%l|%L|%h|%i|%m|%M|%p|%r|%t|%T|%x|%X|%X{port}|%X{none}|%%|%n'),
  'environment in the pattern': { text: pattern('%E{WHO}|%E{NOBODY}|%E|%m%n'), environment: { WHO: 'me' } },
  widths: pattern('[%-5p|%5p|%.3p|%.-3p|%-10.2p|%20.30c|%-20c{1}|%08m|%--6p]%n'),
  dates: pattern(
    '%d|%D|%d{}|%d{%H:%M:%S,%q}|%D{%y%m%d %I %p %a %A %b %B %j %U %W %w %%q %%}|%d{%Q} %d{%s} %d{%Z} %D{%Z %z}%n',
  ),
  'precisions that are none': pattern('%c{x} %c{0} %c{-1} %c{1.5} %c{99}%n'),
  'an unknown conversion': pattern('%k %q %5y %m%n'),
  'a percent sign at the end': pattern('%m%'),
  'a width at the end': pattern('%m%-5.3'),
  'a width that is none': pattern('%5.x %5.| %5% %m%n'),
  'a brace not closed in the pattern': pattern('%m%n%D{%Y'),
  'no end of line': pattern('<%m>'),
  'backslashes are text': pattern('%m\\n\\t%n'),
  'depth of the nested context': layout('PatternLayout', 'ConversionPattern=%x %m%n', 'NDCMaxDepth=1'),

  'rolling at 200 KB': rolling('MaxFileSize=200KB', 'MaxBackupIndex=5'),
  'rolling at 0.25 MB': rolling('MaxFileSize=262144', 'MaxBackupIndex=1'),
  'rolling, no backup is one': rolling('MaxFileSize=300 kb', 'MaxBackupIndex=0'),
  'rolling, too small': rolling('MaxFileSize=1000', 'MaxBackupIndex=2'),
  'rolling, a size that is none': rolling('MaxFileSize=250K', 'MaxBackupIndex=x'),
  'rolling as it is': rolling(),
  'rolling over what is there': { ...rolling('MaxFileSize=200KB'), before: { 'x.log': 'o\n'.repeat(150_000) } },
  'rolling behind the last line': {
    text: rolling('MaxFileSize=200KB').text,
    before: { 'x.log': 'o'.repeat(201_066) },
  },
  'rolling, begun anew': {
    ...rolling('MaxFileSize=200KB', 'Append=false'),
    before: { 'x.log': 'o\n'.repeat(150_000) },
  },

  'by the minute': daily('Schedule=MINUTELY'),
  'by the hour': daily('Schedule=HOURLY'),
  'twice a day': daily('Schedule=TWICE_DAILY'),
  'by the day': daily('Schedule=DAILY'),
  'by the week': daily('Schedule=WEEKLY'),
  'by the month': { text: daily('Schedule=MONTHLY'), every: 200_000 },
  'by nothing': daily('Schedule=NEVER'),
  'by the day, without a last roll': daily('Schedule=daily', 'RollOnClose=false'),
  'by the day, a name of its own': daily('Schedule=DAILY', 'DatePattern=%d.%m-%H'),
  'by the day, what is there is kept': {
    text: daily('Schedule=DAILY', 'MaxBackupIndex=2'),
    before: {
      ...before,
      ...{
        'x.log.2026-11-22': 'a\n',
        'x.log.2026-11-22.1': 'b\n',
        'x.log.2026-11-22.2': 'c\n',
        'x.log.2026-11-23': 'd\n',
      },
    },
  },

  'history by the day': history('FilenamePattern=@DIR@/x-%d{yyyy-MM-dd}.log'),
  'history without a date': history('FilenamePattern=@DIR@/x-%d.log', 'RollOnClose=false'),
  'history by the hour': history('FilenamePattern=@DIR@/x-%d{yyyy-MM-dd_HH}.log', 'MaxHistory=300'),
  'history by the minute': history('FilenamePattern=@DIR@/x-%d{dd-HH-mm}.log', 'MaxHistory=20000'),
  'history by the half day': history('FilenamePattern=@DIR@/x-%d{yyyy-MM-dd-aa}.log'),
  'history by the week': history('FilenamePattern=@DIR@/x-%d{yyyy-ww}.log'),
  'history by the month': { text: history('FilenamePattern=@DIR@/x-%d{MMM.yy}.log'), every: 200_000 },
  'history, letters without a meaning': history("FilenamePattern=@DIR@/x-%d{yyyy'T'M-FkKS-EEEE-u}.log"),
  'history that ends': {
    text: history('FilenamePattern=@DIR@/x-%d{yyyy-MM-dd}.log', 'MaxHistory=3'),
    before: { ...archives, ...before, 'x-other.log': '', 'x-2026-01-01.log': 'long ago\n' },
    every: 86_400,
  },
  'no history': {
    text: history('FilenamePattern=@DIR@/x-%d{yyyy-MM-dd}.log', 'MaxHistory=0', 'Append=false'),
    before: { ...archives, ...before },
    every: 86_400,
  },
  'no pattern for a history': two('log4cplus.rootLogger=INFO, A, B\n')
    .replace('A=log4cplus::File', 'A=log4cplus::TimeBasedRollingFile')
    .replace(`log4cplus.appender.A.${X}\n`, ''),

  async: queued('QueueLimit=10'),
  'async with thresholds and filters': queued(
    ...['Threshold=INFO', 'Appender.Threshold=WARN', 'filters.1=log4cplus::spi::StringMatchFilter'],
    ...['filters.1.StringToMatch=port', 'filters.1.AcceptOnMatch=false'],
  ),
  null: ROOT + appender('NullAppender'),
}
