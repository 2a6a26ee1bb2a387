// Configurations of the kinds in use, for comparing with oslo.log. `@DIR@` is a folder of the test's.
import type { LogEvent } from '../event.ts'
import { levelNumber } from '../python/formatter.ts'

const NAMES = { emer: 'CRITICAL', err: 'ERROR', warn: 'WARNING', info: 'INFO', dbg: 'DEBUG' } as const

/** An event as corpus.py gives it to oslo.log. */
export const recordOf = (e: LogEvent, pid: number) => ({
  ...{ name: e.module ? `${e.component}.${e.module}` : e.component, msg: e.message, args: [] },
  ...{ levelno: levelNumber(e.level), levelname: NAMES[e.level], created: e.time / 1000 },
  ...{ msecs: e.time % 1000, relativeCreated: e.elapsed, module: e.module || e.component },
  ...{ pathname: '(unknown file)', filename: '(unknown file)', lineno: 0, funcName: '(unknown function)' },
  ...{ process: pid, thread: pid, processName: 'MainProcess', threadName: 'MainThread' },
  ...{ ...e.fields, extra: { ...e.fields } },
})

const FILE = '[DEFAULT]\nlog_file=@DIR@/x.log\n'

const more = (lines: string) => `${FILE}${lines}\n`

const format = (text: string) => more(`logging_default_format_string=${text}`)

const SHORT = 'logging_default_format_string=%(asctime)s %(levelname)s %(name)s %(message)s\n'

const every = (type: string, interval: number, count = 3) =>
  more(
    `log_rotation_type=interval\nlog_rotate_interval_type=${type}\nlog_rotate_interval=${interval}\nmax_logfile_count=${count}`,
  )

const limited = (lines: string) => more(`${SHORT}debug=1\nlogging_debug_format_suffix=\n${lines}`)

/** Files of oslo.log's options by what they show. The console's colours need log_color, which release 5.0 ignores. */
export const CORPUS: Readonly<Record<string, string>> = {
  'nothing at all': '[DEFAULT]\nlog_color=true\n',
  'only comments': '# nothing\n\n[DEFAULT]\n; log_file=x\nlog_color=true\n',
  'a file': FILE,
  'a directory': '[DEFAULT]\nlog_dir=@DIR@\n',
  'a file in a directory': '[DEFAULT]\nlog_dir = @DIR@/\nlog_file = y.log\n',
  'older names': '[DEFAULT]\nlogfile=y.log\nlogdir=@DIR@\n',
  'a file of a path in a directory': '[DEFAULT]\nlog_dir=/nowhere\nlog_file=@DIR@/z.log\n',
  'standard error': '[DEFAULT]\nuse_stderr=true\nlog_color=true\n',
  'file and standard error': more('use_stderr=True\nlog_color=1'),
  'standard error in JSON': '[DEFAULT]\nuse_stderr=true\nlog_color=true\nuse_json=yes\n',
  colours: '[DEFAULT]\nuse_stderr=on\nlog_color=true\ndebug=1\nlogging_default_format_string=%(color)s%(message)s\n',
  'no colours in a file': format('%(color)s%(message)s'),
  debug: more('debug=true'),
  'debug off': more('debug=off'),
  'debug without a suffix': more('debug=true\nlogging_debug_format_suffix='),
  'debug with another suffix': more('debug=true\nlogging_debug_format_suffix=[%(module)s:%(lineno)d]'),
  'an empty format': format(''),
  'a format without fields': format('no field'),
  'a format in double quotes': format('"%(levelname)s %(message)s "'),
  'a format in single quotes': format("' %(message)s'"),
  'a format with one quote': format('"%(message)s'),
  'a format over lines': format('%(message)s\n  second\n\tthird'),
  'widths and conversions': format(
    '%(levelname)-8s|%(levelname)5.2s|%(name)-12.4s|%(levelno)05d|%(levelno)x|%(message)r|%%|%(msecs)06.2f',
  ),
  'the names of Python': format(
    '%(process)d %(processName)s %(thread)d %(threadName)s %(funcName)s %(filename)s %(created)f',
  ),
  'the names of oslo': format(
    '<%(instance)s%(resource)s%(user_name)s%(project_name)s%(global_request_id)s%(error_summary)s>%(message)s',
  ),
  'the project': format('%(project)s %(message)s'),
  'a context': more(
    'logging_context_format_string=C %(levelname)s [%(request_id)s|%(global_request_id)s|%(user_identity)s] %(instance)s%(message)s',
  ),
  'empty formats and debug': more('debug=1\nlogging_default_format_string=\nlogging_context_format_string='),
  'an empty context': more('logging_context_format_string='),
  'instances by uuid': more('instance_uuid_format=[I %(uuid)s] \ninstance_format=[J %(uuid)s]'),
  'a date format': more('log_date_format=%d/%b/%Y:%H:%M:%S %j %p %%'),
  'an empty date format': more('log_date_format='),
  JSON: more('use_json=true'),
  'JSON with a date format': more('use_json=true\nlog_date_format=%H:%M'),
  'JSON ignores formats': more('use_json=true\ndebug=1\nlogging_default_format_string=%(message)s'),
  levels: more('default_log_levels=ovn-northd.lflow=DEBUG, ovn-northd=WARN,ovs-vswitchd=CRITICAL'),
  'levels in numbers': more('default_log_levels=ovn-northd=10,ovn-controller=45'),
  'levels over lines': more('default_log_levels = ovn-northd=ERROR,\n  ovn-northd.lflow=INFO,'),
  'no levels': more('default_log_levels='),
  'levels in quotes': more('default_log_levels="ovn-northd=DEBUG"'),
  'the level of the root': more('default_log_levels=root=ERROR,ovn-northd.lflow=DEBUG'),
  'levels and debug': more('debug=true\ndefault_log_levels=ovn-northd=WARNING,ovsdb-server=INFO'),
  'the last of several': more('default_log_levels=ovn-northd=DEBUG\ndefault_log_levels=ovn-controller=ERROR'),
  'a level that inherits': more('default_log_levels=ovn-northd=ERROR,ovn-northd.lflow=NOTSET'),
  colons: '[DEFAULT]\nlog_file: @DIR@/x.log\ndebug : true\n',
  'a comment behind a value is a part of it': '[DEFAULT]\nlog_file=@DIR@/x.log # c\n',
  'comments and other sections': `[database]\ndebug=true\nlog_file=/no\n; a comment\n${FILE}\n[oslo]\nuse_json=true\n`,
  'sections twice': `${FILE}[other]\nx=1\n[DEFAULT]\ndebug=1\n[DEFAULT]\nuse_json=no\n`,
  'another section of a similar name': `${FILE}[default]\nuse_json=true\n[ DEFAULT ]\nuse_json=true\n`,
  'options of others': more('transport_url=rabbit://x\nlog-file=/no\nLOG_DIR=/no\nbind_host=0.0.0.0'),
  'references to options':
    '[DEFAULT]\nlog_dir=@DIR@\nlog_file=$log_dir/a-${max_logfile_count}.log\nmax_logfile_count=7\n',
  'a reference to a default': '[DEFAULT]\nlog_dir=@DIR@\nlog_file=a-$log_rotation_type-$max_logfile_size_mb\n',
  dollars: '[DEFAULT]\nlog_dir=@DIR@\nlog_file=a\\$b$$c$\n',
  'by size': more('log_rotation_type=size\nmax_logfile_size_mb=1\nmax_logfile_count=2\nlog_date_format=@LONG@'),
  'by size, never': more('log_rotation_type=size\nmax_logfile_size_mb=0\nmax_logfile_count=2'),
  'by size, no backups': more(
    'log_rotation_type=SIZE\nmax_logfile_size_mb=1\nmax_logfile_count=0\nlog_date_format=@LONG@',
  ),
  'no rotation': more('log_rotation_type=none\nmax_logfile_size_mb=1\nlog_date_format=@LONG@'),
  'by seconds': every('seconds', 1),
  'by minutes': every('Minutes', 30, 2),
  'by hours': every('hours', 1, 4),
  'by days': every('days', 1),
  'by two days': every('Days', 2, 1),
  'at midnight': every('midnight', 1),
  'on Tuesdays': every('weekday', 1),
  'all kept': every('days', 1, 0),
  'by hours, JSON': `${every('hours', 12)}use_json=true\n`,
  'limited, all but CRITICAL': limited('rate_limit_interval=2\nrate_limit_burst=3'),
  'limited, all but ERROR': limited('rate_limit_interval=3\nrate_limit_burst=1\nrate_limit_except_level=ERROR'),
  'limited, all but INFO': limited('rate_limit_interval=1000000\nrate_limit_burst=4\nrate_limit_except_level=INFO'),
  'a limit without a burst': limited('rate_limit_interval=2'),
  'a limit without an interval': limited('rate_limit_burst=2'),
  'limited, behind levels': limited('rate_limit_interval=2\nrate_limit_burst=2\ndefault_log_levels=ovn-northd=ERROR'),
  'watched by name': more('watch_log_file=true'),
  'watched, so that nothing rolls it': `${every('hours', 1)}watch_log_file=true\n`,
  'what has no effect here': more(
    'fatal_deprecations=false\nuse_eventlog=false\nlogging_exception_prefix=%(asctime)s TRACE\nlogging_user_identity_format=%(user)s',
  ),
  "Python's file": '[DEFAULT]\nlog_config_append=@DIR@.python\ndebug=true\nlog_file=@DIR@/unused.log\n',
  "Python's file by its older name": '[DEFAULT]\nlog_config=@DIR@.python\n',
}

/** What log_config_append names: loggers of components and modules. */
export const PYTHON_FILE = `[loggers]\nkeys=root,northd\n[handlers]\nkeys=a,b\n[formatters]\nkeys=p
[logger_root]\nlevel=WARNING\nhandlers=a
[logger_northd]\nqualname=ovn-northd.lflow\nlevel=DEBUG\nhandlers=b\npropagate=0
[handler_a]\nclass=FileHandler\nargs=('@DIR@/a.log',)\nformatter=p
[handler_b]\nclass=handlers.RotatingFileHandler\nargs=('@DIR@/b.log', 'a', 300, 2)\nformatter=p
[formatter_p]\nformat=%(asctime)s %(name)s %(levelname)s %(message)s\n`
