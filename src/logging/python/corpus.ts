// Configurations of the kinds in use, for comparing with CPython's logging. `@DIR@` is a folder of the test's.

const FORMAT = '%(asctime)s %(name)s %(levelname)s %(message)s'

interface Shape {
  readonly handlers?: Readonly<Record<string, string>>
  readonly formatters?: Readonly<Record<string, string>>
  readonly root?: string
  readonly loggers?: Readonly<Record<string, string>>
  readonly head?: string
}

/** A file from its parts; without loggers, the root has all handlers at DEBUG. */
function file(shape: Shape): string {
  const handlers = shape.handlers ?? { f: "class=FileHandler\nargs=('@DIR@/x.log',)\nformatter=p" }
  const formatters = shape.formatters ?? { p: `format=${FORMAT}` }
  const loggers = shape.loggers ?? {}
  const names = Object.keys(handlers).join(',')
  const part = (kind: string, parts: Readonly<Record<string, string>>) =>
    Object.entries(parts).map(([k, v]) => `[${kind}_${k}]\n${v}\n`)
  return [
    shape.head ?? '',
    `[loggers]\nkeys=${['root', ...Object.keys(loggers)].join(',')}\n`,
    `[handlers]\nkeys=${names}\n`,
    `[formatters]\nkeys=${Object.keys(formatters).join(',')}\n`,
    `[logger_root]\n${shape.root ?? `level=DEBUG\nhandlers=${names}`}\n`,
    ...part('logger', loggers),
    ...part('handler', handlers),
    ...part('formatter', formatters),
  ].join('\n')
}

const one = (handler: string, format = `format=${FORMAT}`) =>
  file({ handlers: { h: `${handler}\nformatter=p` }, formatters: { p: format } })
const format = (text: string) => one("class=FileHandler\nargs=('@DIR@/x.log','a')", text)
const rotating = (args: string) => one(`class=handlers.RotatingFileHandler\nargs=('@DIR@/x.log', ${args})`)
const timed = (args: string) => one(`class=handlers.TimedRotatingFileHandler\nargs=('@DIR@/x.log', ${args})`)
const memory = (args: string, more = '') =>
  file({
    handlers: {
      f: `class=FileHandler\nargs=('@DIR@/x.log',)\nformatter=p\n${more}`,
      m: `class=handlers.MemoryHandler\nargs=(${args})\ntarget=f`,
    },
    root: 'level=DEBUG\nhandlers=m',
  })
const X = "class=FileHandler\nargs=('@DIR@/x.log',)\nformatter=p"
const Y = "class=FileHandler\nargs=('@DIR@/y.log',)\nformatter=p"

export const CORPUS: Readonly<Record<string, string>> = {
  'a file': file({}),
  'standard error': one('class=StreamHandler\nargs=()'),
  'standard output': one('class=StreamHandler\nargs=(sys.stdout,)'),
  'no args at all': one('class=StreamHandler'),
  'mode w': one("class=FileHandler\nargs=('@DIR@/x.log','w')"),
  kwargs: one("class=FileHandler\nargs=()\nkwargs={'filename': '@DIR@/x.log', 'mode': 'a', 'delay': True}"),
  'kwargs beside args': one(
    "class=handlers.RotatingFileHandler\nargs=('@DIR@/x.log',)\nkwargs={'maxBytes': 300, 'backupCount': 2}",
  ),
  'a file nobody writes to, opened late': file({
    handlers: { f: X, late: "class=FileHandler\nargs=('@DIR@/late.log','a',None,True)\nlevel=CRITICAL" },
    root: 'level=INFO\nhandlers=f',
  }),
  watched: one("class=handlers.WatchedFileHandler\nargs=('@DIR@/x.log',)"),
  'class with its whole name': one(
    "class=logging.handlers.WatchedFileHandler\nargs=('@DIR@/x.log','a','utf-8')",
  ).replace('class=logging.handlers', 'class=handlers'),
  null: one('class=NullHandler\nargs=()'),
  'rotation, ten backups': rotating("'a', 200, 10"),
  'rotation, one backup': rotating("'a', 200, 1"),
  'rotation, no backup': rotating("'a', 200, 0"),
  'rotation, mode w is not kept': rotating("'w', 250, 3"),
  'rotation, a limit below a line': rotating("'a', 10, 3"),
  'rotation, no limit': rotating("'a', 0, 3"),
  'rotation, a product': rotating("'a', 2 * 10**2, 1 + 1"),
  'rotation, late': rotating("'a', 200, 2, None, True"),
  'by the second': timed("'S', 3, 4"),
  'by the minute': timed("'M', 1"),
  'by the hour': timed("'h', 1, 2"),
  'by the day': timed("'D', 1, 2"),
  'at midnight': timed("'midnight', 1, 3"),
  'at midnight UTC': timed("'midnight', 1, 3, None, False, True"),
  'on Mondays': timed("'W0', 1, 3"),
  'on Sundays': timed("'W6'"),
  'memory that fills': memory('4,'),
  'memory that is let out by an error': memory('100,'),
  'memory, by a warning': memory('100, WARNING'),
  'memory, only at the end': memory('100, CRITICAL + 1'),
  'memory does not ask its target for a level': memory('3,', 'level=ERROR'),
  'level of a handler': file({ handlers: { a: `${X}\nlevel=WARNING`, b: `${Y}\nlevel=NOTSET` } }),
  'level of the root': file({ root: 'level=ERROR\nhandlers=f' }),
  'root without a level': file({ root: 'handlers=f' }),
  'root NOTSET': file({ root: 'level=NOTSET\nhandlers=f' }),
  'root without handlers': file({ root: 'level=DEBUG\nhandlers=', loggers: { n: 'qualname=ovn-northd\nhandlers=f' } }),
  'a logger of its own': file({
    handlers: { a: X, b: Y },
    root: 'level=WARNING\nhandlers=a',
    loggers: { n: 'qualname=ovn-northd\nlevel=DEBUG\nhandlers=b\npropagate=0' },
  }),
  'a child that propagates': file({
    handlers: { a: X, b: Y },
    root: 'level=WARNING\nhandlers=a',
    loggers: { n: 'qualname=ovn-northd.lflow\nlevel=DEBUG\nhandlers=b' },
  }),
  'a chain of loggers': file({
    handlers: { a: X, b: Y },
    root: 'level=INFO\nhandlers=a',
    loggers: {
      n: 'qualname=ovn-northd\nlevel=ERROR\nhandlers=b\npropagate=0',
      l: 'qualname=ovn-northd.lflow\nhandlers=\nlevel=NOTSET',
      c: 'qualname=ovn-controller\nhandlers=a\npropagate=1',
    },
  }),
  'one handler twice': file({ loggers: { n: 'qualname=ovn-northd\nhandlers=f' } }),
  'no formatter': file({ handlers: { f: "class=FileHandler\nargs=('@DIR@/x.log',)" }, formatters: {} }),
  'an empty format': format('format='),
  'date format': format('format=%(asctime)s|%(message)s\ndatefmt=%d/%b/%Y:%H:%M:%S %j %p %%'),
  'an empty date format': format('format=%(asctime)s|%(message)s\ndatefmt='),
  widths: format('format=[%(levelname)-8s|%(levelname)8s|%(name).6s|%(levelname)-10.3s] %(message)s'),
  numbers: format('format=%(levelno)05d %(levelno)-5d| %(levelno)x %(levelno)s %(msecs)03d %(lineno)d %(message)s'),
  floats: format(
    'format=%(created)f %(created).1f %(msecs)s %(msecs)06.2f %(relativeCreated)d %(created)s %(message)s',
  ),
  'a percent sign': format('format=100%% %(message)s'),
  'all that Python knows': format(
    'format=%(process)d %(processName)s %(thread)d %(threadName)s %(module)s %(filename)s %(pathname)s %(lineno)d %(funcName)s %(message)s',
  ),
  repr: format('format=%(message)r %(levelno)r %(name)a'),
  braces: format('format={asctime} {levelname:<8}|{levelname:>9}|{name:^20}|{levelno:05d} {message}\nstyle={'),
  'braces, more': format('format={{{levelname!r:*^12}}} {msecs:03.0f} {created:.2f} {message:.5}\nstyle={'),
  dollars: format('format=$asctime ${levelname}: $$ $message\nstyle=$'),
  'dollars and dates': format('format=$asctime $message\nstyle=$\ndatefmt=%y%m%d'),
  'formatter class': format('format=%(message)s\nclass=logging.Formatter'),
  'colons, comments, spaces': one(
    "class : FileHandler\n; a comment\nargs : ( '@DIR@/x.log' , )\n# another\nlevel = INFO",
  ),
  'a value over two lines': one("class=FileHandler\nargs=('@DIR@/x.log',\n  'a',\n  )"),
  'defaults and interpolation': file({
    head: '[DEFAULT]\ndir=@DIR@\nname=x\nlog=%(dir)s/%(name)s.log\n',
    handlers: { f: "class=FileHandler\nargs=('%(log)s',)\nformatter=p" },
  }),
  'strings of Python': one("class=FileHandler\nargs=('@DIR@/' r'x' \"\\x2elog\", 'a')"),
  'lists of names with spaces': file({ handlers: { a: X, b: Y }, root: 'level=DEBUG\nhandlers = a , b' }),
}
