// Files for logging.config.fileConfig as operators have them: samples of OpenStack's services and what editors, habits
// and haste make of such files. `@DIR@` is a folder of the test's.

/** Like the sample of OpenStack's nova and neutron (logging_sample.conf), for the loggers that there are here. */
const openstack = (formatter: string) => `[loggers]
keys = root, northd, amqp, sqlalchemy

[handlers]
keys = stderr, stdout, watchedfile, null

[formatters]
keys = context, default

[logger_root]
level = WARNING
handlers = null

[logger_northd]
level = INFO
handlers = stderr, watchedfile
qualname = ovn-northd

[logger_amqp]
level = WARNING
handlers = stderr
qualname = amqp

[logger_sqlalchemy]
level = WARNING
handlers = stderr
qualname = sqlalchemy
# "level = INFO" logs SQL queries.
# "level = DEBUG" logs SQL queries and results.
# "level = WARNING" logs neither.  (Recommended for production systems.)

[handler_stderr]
class = StreamHandler
args = (sys.stderr,)
formatter = context

[handler_stdout]
class = StreamHandler
args = (sys.stdout,)
formatter = context

[handler_watchedfile]
class = handlers.WatchedFileHandler
args = ('@DIR@/northd.log',)
formatter = context

[handler_null]
class = logging.NullHandler
formatter = default
args = ()

[formatter_context]
${formatter}

[formatter_default]
format = %(message)s
`

/** Like those of Contrail's services: all names in one place, a rotating file, and levels by a section of defaults. */
const contrail = `[DEFAULT]
log_dir = @DIR@
log_size = 600
log_count = 3

[loggers]
keys=root,log
[handlers]
keys=logFile,screen
[formatters]
keys=simpleFormatter,sandeshFormatter
[logger_root]
level=ERROR
handlers=screen
[logger_log]
level=DEBUG
handlers=logFile
qualname=ovn-northd
propagate=0
[handler_logFile]
class=logging.handlers.RotatingFileHandler
level=INFO
formatter=sandeshFormatter
args=('%(log_dir)s/contrail-api.log', 'a', %(log_size)s, %(log_count)s)
[handler_screen]
class=StreamHandler
level=NOTSET
formatter=simpleFormatter
args=(sys.stdout,)
[formatter_simpleFormatter]
format=%(asctime)s - %(name)s - %(levelname)s - %(message)s
datefmt=
[formatter_sandeshFormatter]
format=%(asctime)s [%(name)s] [%(levelname)s]: %(message)s
datefmt=%m/%d/%Y %I:%M:%S %p
`

const one = (handler: string, format = 'format=%(asctime)s %(levelname)s %(name)s %(message)s') => `[loggers]
keys=root
[handlers]
keys=h
[formatters]
keys=f
[logger_root]
level=DEBUG
handlers=h
[handler_h]
${handler}
formatter=f
[formatter_f]
${format}
`
const args = (text: string) => one(`class=FileHandler\nargs=${text}`)
const rotating = (text: string) => one(`class=handlers.RotatingFileHandler\nargs=('@DIR@/x.log', 'a', ${text})`)
const format = (text: string) => one("class=FileHandler\nargs=('@DIR@/x.log',)", text)
const PLAIN = args("('@DIR@/x.log',)")
const replaced = (from: string, to: string) => PLAIN.replaceAll(from, to)

/** CPython and we make the same of these. */
export const FOUND: Readonly<Record<string, string>> = {
  'a sample of OpenStack': openstack('format = %(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s %(message)s'),
  'a sample of OpenStack, with a class': openstack(
    'class = logging.Formatter\nformat = %(asctime)s %(levelname)s %(name)s [-] %(message)s\ndatefmt = %Y-%m-%d %H:%M:%S',
  ),
  'as Contrail has it': contrail,
  "Windows's line ends": replaced('\n', '\r\n'),
  "an old Macintosh's line ends": replaced('\n', '\r'),
  tabs: replaced('=', '\t=\t'),
  'a value that a tab continues': args("('@DIR@/x.log',\n\t'a')"),
  'keys in capitals': PLAIN.replace('class=', 'CLASS=').replace('args=', 'Args=').replace('level=', 'Level='),
  'a comment behind the arguments': args("('@DIR@/x.log',) # where it goes"),
  'a comment between arguments': args("('@DIR@/x.log',\n  # appended to\n  'a')"),
  'an empty line between arguments': args("('@DIR@/x.log',\n\n  'a')"),
  'spaces at the ends of values': replaced('\n', '  \n'),
  'text behind a section': replaced('[handler_h]', '[handler_h] ; where it goes'),
  'nobreak spaces': replaced('level=DEBUG', 'level=\u00a0DEBUG'),
  'a list for a tuple': args("['@DIR@/x.log']"),
  'texts behind each other': args(`('@DIR@' '/x' ".log", 'a',)`),
  'a sum of texts': args("('@DIR@/' + 'x' + '.log',)"),
  'brackets within brackets': args("((('@DIR@/x.log')), ('a'))"),
  'a name with spaces and a percent sign': args("('@DIR@/50%% of all.log',)"),
  'a name in another script': args("('@DIR@/журнал.log',)"),
  'letters by their numbers': args("('@DIR@/\\u0436\\x41\\101\\U0001F600.log',)"),
  'a raw text': args("(r'@DIR@/x\\n.log',)"),
  'a mode with a plus': args("('@DIR@/x.log', 'a+')"),
  'another name of UTF-8': args("('@DIR@/x.log', 'a', 'utf_8')"),
  'all that a file takes': args("('@DIR@/x.log', 'a', None, False)"),
  'arguments by dict()': one(
    "class=handlers.RotatingFileHandler\nargs=('@DIR@/x.log',)\nkwargs=dict(maxBytes=500, backupCount=2,)",
  ),
  'a size as a product': rotating('5*100, 1+1'),
  'a size by a shift': rotating('1<<9, 2'),
  'a size by a division': rotating('1024//2, 2'),
  'a size in sixteens': rotating('0x1F4, 2'),
  'a size with a line below': rotating('5_00, 2'),
  'a size with a point': rotating('5e2, 2'),
  'less than no backup': rotating('500, -1'),
  'less than no size': rotating('-500, 2'),
  'a period in small letters': one("class=handlers.TimedRotatingFileHandler\nargs=('@DIR@/x.log', 's', 2, 3)"),
  'a period in capitals': one("class=handlers.TimedRotatingFileHandler\nargs=('@DIR@/x.log', 'MIDNIGHT')"),
  'a constant as a level': one('class=handlers.MemoryHandler\nargs=(10, ERROR)\ntarget='),
  'a stream by its name': one("class=StreamHandler\nargs=()\nkwargs={'stream': sys.stdout}"),
  'no stream': one('class=StreamHandler\nargs=(None,)'),
  'a format over lines': format('format=%(asctime)s\n  %(levelname)s\n  %(message)s'),
  'a format in quotes': format('format="%(asctime)s %(message)s"'),
  'a backslash in a format': format('format=%(asctime)s\\n%(message)s\\t'),
  'a vertical tab': format('format=%(message)s \v x'),
  'a line separator': format('format=%(message)s \u2028 x'),
  'dates with a zone': format('format=%(asctime)s %(message)s\ndatefmt=%Y-%m-%dT%H:%M:%S%z %Z %s'),
  'dates in quotes': format("format=%(asctime)s %(message)s\ndatefmt='%Y'"),
  'an empty class': format('format=%(message)s\nclass='),
  'a handler twice': replaced('handlers=h', 'handlers=h, h'),
  'names over lines': replaced('keys=h', 'keys=\n  h'),
  'defaults for all': `[DEFAULT]\nlevel=WARNING\n${PLAIN.replace('level=DEBUG\n', '')}`,
  'another section that cannot be filled': `[other]\nx=%(y)s\n${PLAIN}`,
  'colons for equal signs': PLAIN.replaceAll('=', ': '),
  'a root with a name': replaced('handlers=h', 'handlers=h\nqualname=(root)\npropagate=0'),
  'a logger named root': `${replaced('keys=root', 'keys=root,x')}[logger_x]\nhandlers=h\nqualname=root\nlevel=DEBUG\n`,
  'a logger twice': `${replaced('keys=root', 'keys=root,x,y')}[logger_x]\nqualname=ovn-northd\nlevel=ERROR\nhandlers=
[logger_y]\nqualname=ovn-northd\nlevel=DEBUG\nhandlers=h\n`,
  'propagate is 2': `${replaced('keys=root', 'keys=root,x')}[logger_x]\nhandlers=h\nqualname=ovn-northd\npropagate=2\n`,
}

/** Neither CPython nor we take these. */
export const FOUND_BROKEN: Readonly<Record<string, string>> = {
  'a section in capitals': replaced('[handler_h]', '[HANDLER_H]'),
  'a key twice': replaced('level=DEBUG', 'level=DEBUG\nlevel=INFO'),
  'a section twice': `${PLAIN}\n[formatter_f]\nformat=%(message)s\n`,
  'a comment behind a level': replaced('level=DEBUG', 'level=DEBUG # all'),
  'a comment behind names': replaced('handlers=h', 'handlers=h ; only this'),
  'indented keys': replaced('args=', '  args='),
  'a level in small letters': replaced('level=DEBUG', 'level=debug'),
  'a level as a number': replaced('level=DEBUG', 'level=10'),
  'an empty level': replaced('level=DEBUG', 'level='),
  'a comma behind names': replaced('handlers=h', 'handlers=h,'),
  'empty arguments': args(''),
  'no comma': args("('@DIR@/x.log')"),
  'a name in the arguments': args("('@DIR@/x.log', mode='a')"),
  'a percent sign alone': args("('@DIR@/50%.log',)"),
  'a default that is not given': args("('%(here)s/x.log',)"),
  'a size as a text': rotating("'500', 2"),
  'a size that begins with a zero': rotating('0500, 2'),
  'a period that is none': one("class=handlers.TimedRotatingFileHandler\nargs=('@DIR@/x.log', 'fortnight')"),
  'a day that is none': one("class=handlers.TimedRotatingFileHandler\nargs=('@DIR@/x.log', 'W7')"),
  'a format without a field': format('format=hello'),
  'a style in quotes': format("format=$message\nstyle='$'"),
  'a class that is no formatter': format('format=%(message)s\nclass=logging.BufferingFormatter'),
  'a formatter that is not there': replaced('formatter=f', 'formatter=g'),
  'a logger without a name': `${replaced('keys=root', 'keys=root,x')}[logger_x]\nhandlers=h\n`,
  'propagate is no': `${replaced('keys=root', 'keys=root,x')}[logger_x]\nhandlers=h\nqualname=ovn-northd\npropagate=no\n`,
  'something in front of the first section': `keys=1\n${PLAIN}`,
  'a line that is nothing': `${PLAIN}\nhello\n`,
}

/** What would have to be run is refused, and the reason names it. */
export const RUN: Readonly<Record<string, string>> = {
  "(os.environ['HOME'] + '/x.log',)": 'os.environ[...]',
  "(os.path.join('a', 'b'),)": 'os.path.join(...)',
  "('@DIR@/x.log' if True else '',)": 'if True',
  "(__import__('os').system('true'),)": '__import__(...)',
  "('%%s.log' %% 'x',)": "% 'x'",
  "(f'{x}.log',)": "f'",
  '(lambda: 1,)': ': 1',
  '[x for x in (1, 2)]': 'for x in',
}
